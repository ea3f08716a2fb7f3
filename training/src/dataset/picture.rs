//! Pictures and the files beside them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use facemark::frame::Plane;

/// Reads a picture's luma.
pub fn luma(path: &Path) -> Result<Plane> {
    let picture = image::open(path).map_err(|error| {
        // What decoders say can have several lines.
        let words = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        anyhow!("cannot read the picture {}: {words}", path.display())
    })?;
    let luma = picture.into_luma8();
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    Ok(Plane { data: luma.into_raw(), width, height })
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
