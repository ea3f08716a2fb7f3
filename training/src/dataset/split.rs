//! What is trained on and what is not: decided by person or photo, never by picture.

use std::path::Path;

/// What a face may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Training.
    Training,
    /// Validation while training.
    HeldOut,
    /// Testing only: the data set's authors say so.
    Test,
}

/// One photo in this many is held out for validation.
const HELD_OUT: u64 = 10;

impl Part {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::HeldOut => "held out",
            Self::Test => "test",
        }
    }

    /// A photo's part, where the data set gives none. Decided by the photo's name alone, so that the split stays the same
    /// when photos are added.
    pub fn of_photo(name: &str) -> Self {
        // FNV-1a: stable across platforms and Rust versions, unlike the standard library's hasher.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // Names that differ in one digit have related hashes; MurmurHash3's finaliser scatters them.
        let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        if (mixed ^ (mixed >> 33)).is_multiple_of(HELD_OUT) { Self::HeldOut } else { Self::Training }
    }
}

/// The photo's name. AFW and Helen call the faces of one photo `NAME_1`, `NAME_2` …; LFPW's `image_0001` is a whole name.
/// dlib's copy of 300-W has `NAME_mirror` beside `NAME`.
pub fn photo_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let stem = stem.strip_suffix("_mirror").unwrap_or(&stem);
    match stem.rsplit_once('_') {
        Some((name, face)) if face.len() <= 2 && face.bytes().all(|b| b.is_ascii_digit()) => name.to_owned(),
        _ => stem.to_owned(),
    }
}

/// Whether a path below the data folder, or a list's name, says that it is for testing.
pub fn is_for_testing(path: &Path, is_list: bool) -> bool {
    let is_test = |word: &str| ["test", "testset"].contains(&word);
    let mut folders = path.parent().into_iter().flat_map(Path::components);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    folders.any(|folder| is_test(&folder.as_os_str().to_string_lossy()))
        || (is_list && stem.split(['_', '-', '.']).any(is_test))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_test_is_known_as_such() {
        let is_test = |path: &str, is_list: bool| is_for_testing(Path::new(path), is_list);
        assert!(is_test("300w/lfpw/testset/image_1.pts", false));
        assert!(is_test("test/a.pts", false));
        assert!(!is_test("300w/lfpw/trainset/test.pts", false));
        assert!(is_test("labels_ibug_300W_test.xml", true));
        assert!(is_test("list_98pt_rect_attr_test.txt", true));
        assert!(!is_test("list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt", true));
    }

    #[test]
    fn faces_of_one_photo_stay_on_one_side() {
        assert_eq!(photo_name(Path::new("afw/437595409_1.pts")), "437595409");
        assert_eq!(photo_name(Path::new("afw/437595409_12_mirror.jpg")), "437595409");
        assert_eq!(photo_name(Path::new("lfpw/image_0021.pts")), "image_0021");
        let held_out =
            (0..1000).filter(|i| Part::of_photo(&format!("image_{i:04}")) == Part::HeldOut).count();
        assert!((70..=130).contains(&held_out), "{held_out} of 1000");
    }
}
