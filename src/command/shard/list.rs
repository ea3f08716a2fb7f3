//! The list of videos.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::error::{Blame, Fault};

/// The videos that a file or, for `-`, standard input names: one per line, or with a null byte after each, which allows
/// names with line feeds. Empty lines are skipped.
///
/// # Errors
/// [`Fault::Input`] if the list cannot be read or names nothing.
pub(super) fn read(path: &Path) -> Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    let all = if path == Path::new("-") {
        io::stdin().read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    let shown = path.display();
    all.blame(Fault::Input, || format!("cannot read the list {shown}"))?;
    let videos = parse(&bytes);
    if videos.is_empty() {
        return Err(
            Fault::Input.error(format!("the list {shown} is empty; write the name of a video on each line"))
        );
    }
    Ok(videos)
}

fn parse(bytes: &[u8]) -> Vec<PathBuf> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let separator = if bytes.contains(&0) { 0 } else { b'\n' };
    let entries = bytes.split(|&byte| byte == separator);
    // Windows ends lines with two characters.
    let entries = entries.map(|entry| match separator {
        b'\n' => entry.strip_suffix(b"\r").unwrap_or(entry),
        _ => entry,
    });
    entries.filter(|entry| !entry.is_empty()).map(path).collect()
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes.to_vec()).into()
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> PathBuf {
    OsString::from(String::from_utf8_lossy(bytes).into_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_a_line_or_with_a_null_byte() {
        let expected = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(parse(b"a b.mp4\n\n c.mp4 \r\nd"), expected(&["a b.mp4", " c.mp4 ", "d"]));
        assert_eq!(parse(b"a\nb.mp4\0c\r\0"), expected(&["a\nb.mp4", "c\r"]));
        assert_eq!(parse("\u{feff}ü.mp4".as_bytes()), expected(&["ü.mp4"]));
        assert_eq!(parse(b"\n\r\n"), expected(&[]));
    }

    #[test]
    fn a_list_that_names_nothing_is_an_input_error() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        std::fs::write(&list, "\n\n").unwrap();
        assert!(read(&list).unwrap_err().to_string().contains("is empty"));
        assert_eq!(Fault::of(&read(&folder.path().join("none")).unwrap_err()), Fault::Input);
    }
}
