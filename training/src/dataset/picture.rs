//! Pictures and the files beside them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use facemark::Plane;
use walkdir::WalkDir;

/// Reads a picture's luma.
pub fn luma(path: &Path) -> Result<Plane> {
    let unreadable = || format!("cannot read the picture {}", path.display());
    let bytes = fs::read(path).with_context(unreadable)?;
    ensure!(!is_cut_short(&bytes), "{}: it is cut short", unreadable());
    let picture = image::load_from_memory(&bytes).map_err(|error| {
        // What decoders say can have several lines.
        let words: Vec<String> = error.to_string().split_whitespace().map(str::to_owned).collect();
        anyhow!("{}: {}", unreadable(), words.join(" "))
    })?;
    let luma = picture.into_luma8();
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    Ok(Plane::new(width, height, luma.into_raw())?)
}

/// Whether a JPEG ends within its last scan: decoders fill up what is missing with grey.
fn is_cut_short(bytes: &[u8]) -> bool {
    let is_jpeg = bytes.starts_with(&[0xff, 0xd8]);
    // Within a scan a byte 0xff is followed by 0 or by a restart marker, so these two are what they seem.
    let last_scan = bytes.windows(2).rposition(|marker| marker == [0xff, 0xda]);
    let has_end = |scan: usize| bytes[scan..].windows(2).any(|marker| marker == [0xff, 0xd9]);
    is_jpeg && last_scan.is_some_and(|scan| !has_end(scan))
}

/// All files below a folder, or the file itself, that have one of these extensions, sorted.
pub fn files(path: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(path).follow_links(true) {
        let file = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry.into_path(),
            Err(error) => dangling(error).context("cannot read the folder")?,
        };
        let extension = file.extension().unwrap_or_default();
        if extensions.iter().any(|wanted| extension.eq_ignore_ascii_case(wanted)) {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

/// The path of a link to nowhere: an error only if the file is needed.
fn dangling(error: walkdir::Error) -> Result<PathBuf, walkdir::Error> {
    match error.path() {
        Some(path) if path.is_symlink() && !path.exists() => Ok(path.to_owned()),
        _ => Err(error),
    }
}

/// The picture beside an annotation file: the same name with .jpg or .png.
pub fn beside(file: &Path) -> Result<PathBuf> {
    let candidates = ["jpg", "png", "jpeg"].map(|extension| file.with_extension(extension));
    match candidates.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("{}: no .jpg or .png of the same name lies beside it", file.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_at_every_depth_and_behind_links() -> Result<()> {
        let (dir, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        fs::create_dir_all(dir.path().join("b/c"))?;
        for name in ["b/c/2.PTS", "1.pts", "1.jpg", "b/pts"] {
            fs::write(dir.path().join(name), "")?;
        }
        let names = || -> Result<Vec<String>> {
            let files = files(dir.path(), &["pts"])?;
            let below =
                files.iter().map(|file| file.strip_prefix(dir.path()).map(|f| f.display().to_string()));
            Ok(below.collect::<Result<_, _>>()?)
        };
        assert_eq!(names()?, ["1.pts", "b/c/2.PTS"]);
        assert_eq!(files(&dir.path().join("1.pts"), &["pts"])?, [dir.path().join("1.pts")]);
        #[cfg(unix)]
        {
            fs::write(other.path().join("3.pts"), "")?;
            std::os::unix::fs::symlink(other.path(), dir.path().join("link"))?;
            // Whether a link to nowhere matters is for the reader to say.
            std::os::unix::fs::symlink("nowhere", dir.path().join("4.pts"))?;
            assert_eq!(names()?, ["1.pts", "4.pts", "b/c/2.PTS", "link/3.pts"]);
        }
        Ok(())
    }
}
