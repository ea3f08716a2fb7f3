//! Pictures and the files beside them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use facemark::Plane;

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
    collect(path, extensions, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(path: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        let extension = path.extension().unwrap_or_default();
        if extensions.iter().any(|wanted| extension.eq_ignore_ascii_case(wanted)) {
            found.push(path.to_owned());
        }
        return Ok(());
    }
    let unreadable = || format!("cannot read the folder {}", path.display());
    for entry in fs::read_dir(path).with_context(unreadable)? {
        collect(&entry.with_context(unreadable)?.path(), extensions, found)?;
    }
    Ok(())
}

/// The picture beside an annotation file: the same name with .jpg or .png.
pub fn beside(file: &Path) -> Result<PathBuf> {
    let candidates = ["jpg", "png", "jpeg"].map(|extension| file.with_extension(extension));
    match candidates.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("{}: no .jpg or .png of the same name lies beside it", file.display()),
    }
}
