//! Pictures that are recognised but not read: HEIC and AVIF, which look like MP4 files to libav.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The file extensions of such pictures.
pub(crate) const ENDINGS: [&str; 5] = ["avif", "avifs", "heic", "heif", "hif"];

/// One of the formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Heic,
    Avif,
}

/// Advice for the user if the file's first bytes show that it is such a picture, whatever its name.
pub(crate) fn told(path: &Path) -> Option<String> {
    // Opening a pipe would block until the other end is opened.
    if !path.is_file() {
        return None;
    }
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut head)).ok()?;
    let (name, command, ending) = match kind(&head)? {
        Kind::Heic => ("HEIC", "heif-convert", "jpg"),
        Kind::Avif => ("AVIF", "avifdec", "png"),
    };
    let (from, to) = (quoted(path), quoted(&path.with_extension(ending)));
    let to = if from == to { quoted(&path.with_extension(format!("new.{ending}"))) } else { to };
    Some(format!("{} is an {name} picture; convert it first: {command} {from} {to}", path.display()))
}

/// The format according to the file's brands: the major one or, if that is generic, the compatible ones.
fn kind(head: &[u8]) -> Option<Kind> {
    if head.get(4..8)? != b"ftyp" {
        return None;
    }
    let length = u32::from_be_bytes(head.get(..4)?.try_into().ok()?) as usize;
    let brands = head.get(16..head.len().min(length)).unwrap_or_default();
    match head.get(8..12)? {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some(Kind::Heic),
        b"avif" | b"avis" => Some(Kind::Avif),
        b"mif1" | b"msf1" if brands.chunks_exact(4).any(|brand| brand == b"avif" || brand == b"avis") => {
            Some(Kind::Avif)
        }
        b"mif1" | b"msf1" => Some(Kind::Heic),
        _ => None,
    }
}

/// The name, quoted for a shell if needed.
fn quoted(path: &Path) -> String {
    let name = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@".contains(c);
    if name.chars().all(plain) { name.into_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brands_tell_pictures_from_videos() {
        let file = |brands: &[u8]| {
            let length = (8 + brands.len() as u32).to_be_bytes();
            [&length, b"ftyp", brands, b"\0\0\0\x08mdatavif"].concat()
        };
        assert_eq!(kind(&file(b"heic\0\0\0\0mif1heic")), Some(Kind::Heic));
        assert_eq!(kind(&file(b"mif1\0\0\0\0mif1heic")), Some(Kind::Heic));
        assert_eq!(kind(&file(b"mif1\0\0\0\0mif1avif")), Some(Kind::Avif));
        assert_eq!(kind(&file(b"avis\0\0\0\0avisavif")), Some(Kind::Avif));
        assert_eq!(kind(&file(b"isom\0\0\x02\0isomiso2avc1")), None);
        assert_eq!(kind(b"\0\0\0\x18ftyp"), None);
    }

    #[test]
    fn names_are_quoted_for_a_shell() {
        assert_eq!(quoted(Path::new("a/b-1.heic")), "a/b-1.heic");
        assert_eq!(quoted(Path::new("it's.heic")), r"'it'\''s.heic'");
    }
}
