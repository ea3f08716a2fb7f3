//! The formats of annotations, one a file.

mod csv;
mod dlib_xml;
pub mod ibug;
pub mod imm;
pub mod open;
mod wflw;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use facemark::face::Scheme;
use rayon::prelude::*;

use super::annotation::Annotation;
use super::picture;
pub use csv::table;

/// An annotation format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Format {
    /// IMM: an .asf file beside each photo, 58 points.
    Imm,
    /// iBUG, 300-W: a .pts file beside each photo, 68 points.
    Ibug,
    /// dlib's copy of 300-W: `labels_ibug_300W_*.xml`, 68 points and a box for each face.
    IbugXml,
    /// WFLW: `list_98pt_rect_attr_*.txt`, 98 points, of which the 68 of iBUG are taken.
    Wflw,
    /// A table whose columns are file, x, y, w, h, x0, y0, x1, y1 and so on.
    Csv,
    /// MediaPipe's meshes of the faces in a folder of photos: `mesh478.npy`, of which the 68 of iBUG are taken.
    Open,
}

impl Format {
    /// The format of the annotations in `data`, a folder or an annotation file, that can have the scheme's points.
    ///
    /// # Errors
    /// If there are none, or of several formats.
    pub fn recognise(data: &Path, scheme: Option<Scheme>) -> Result<Self> {
        ensure!(data.exists(), "there is no file or folder {}", data.display());
        let can_have = |format: &Self| scheme.is_none_or(|scheme| format.schemes().contains(&scheme));
        let mut found = BTreeSet::new();
        for file in picture::files(data, &["asf", "pts", "xml", "txt", "csv", "npy"])? {
            found.extend(Self::of_file(&file)?.filter(can_have));
        }
        match *Vec::from_iter(&found) {
            [format] => Ok(*format),
            [] => bail!(
                "no annotations in {}: looked for {}",
                data.display(),
                Self::value_variants()
                    .iter()
                    .filter(|f| can_have(f))
                    .map(|f| f.files())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            ref several => {
                let names: Vec<&str> = several.iter().map(|format| format.name()).collect();
                bail!(
                    "{} holds annotations in several formats; choose one with --format: {}",
                    data.display(),
                    names.join(", ")
                )
            }
        }
    }

    /// Reads all annotations in `data`, a folder or an annotation file, sorted by file.
    pub(super) fn read(self, data: &Path) -> Result<Vec<Result<Annotation>>> {
        let files = self.find(data)?;
        ensure!(!files.is_empty(), "no annotations in {}: looked for {}", data.display(), self.files());
        Ok(match self {
            Self::Imm => files.par_iter().map(|file| imm::read(file)).collect(),
            Self::Ibug => files.par_iter().map(|file| ibug::read(data, file)).collect(),
            Self::IbugXml => concat(&files, dlib_xml::read)?,
            Self::Wflw => concat(&files, wflw::read)?,
            Self::Csv => concat(&files, csv::read)?,
            Self::Open => concat(&files, open::read)?,
        })
    }

    /// The annotation files of this format.
    fn find(self, data: &Path) -> Result<Vec<PathBuf>> {
        let extension = match self {
            Self::Imm => "asf",
            Self::Ibug => "pts",
            Self::IbugXml => "xml",
            Self::Wflw => "txt",
            Self::Csv => "csv",
            Self::Open => "npy",
        };
        let mut files = picture::files(data, &[extension])?;
        if data.is_dir() && !matches!(self, Self::Imm | Self::Ibug) {
            let mut kept = Vec::new();
            for file in files {
                if Self::of_file(&file)? == Some(self) {
                    kept.push(file);
                }
            }
            files = kept;
        }
        Ok(files)
    }

    /// The format that a file's name, and a table's first line, tell.
    fn of_file(file: &Path) -> Result<Option<Self>> {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        Ok(match file.extension().map(|e| e.to_string_lossy().to_lowercase()).as_deref() {
            Some("asf") => Some(Self::Imm),
            Some("pts") => Some(Self::Ibug),
            // `labels_ibug_300W.xml` is the other two together.
            Some("xml") if name.starts_with("labels_ibug_300w_") => Some(Self::IbugXml),
            Some("txt") if name.starts_with("list_98pt_rect_attr_") => Some(Self::Wflw),
            Some("csv") => csv::is_header(&first_line(file)?).then_some(Self::Csv),
            Some("npy") if name == open::MESHES => Some(Self::Open),
            _ => None,
        })
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imm => "imm",
            Self::Ibug => "ibug",
            Self::IbugXml => "ibug-xml",
            Self::Wflw => "wflw",
            Self::Csv => "csv",
            Self::Open => "open",
        }
    }

    /// What the annotation files are called.
    fn files(self) -> &'static str {
        match self {
            Self::Imm => ".asf files",
            Self::Ibug => ".pts files",
            Self::IbugXml => "labels_ibug_300W_*.xml",
            Self::Wflw => "list_98pt_rect_attr_*.txt",
            Self::Csv => ".csv files that begin with file,x,y,w,h,x0,y0",
            Self::Open => open::MESHES,
        }
    }

    /// The schemes that the format's points can make.
    fn schemes(self) -> &'static [Scheme] {
        match self {
            Self::Imm => &[Scheme::Nose, Scheme::Imm58],
            Self::Ibug | Self::IbugXml | Self::Wflw => &[Scheme::Ibug68],
            Self::Open => &[Scheme::Ibug68, Scheme::Mesh478],
            Self::Csv => &Scheme::ALL,
        }
    }
}

fn concat(
    files: &[PathBuf],
    read: fn(&Path) -> Result<Vec<Result<Annotation>>>,
) -> Result<Vec<Result<Annotation>>> {
    Ok(files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn first_line(file: &Path) -> Result<String> {
    let mut line = Vec::new();
    let read = || BufReader::new(File::open(file)?).read_until(b'\n', &mut line);
    let mut read = read;
    read().with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn formats_are_told_by_their_files() -> Result<()> {
        let cases = [
            ("01-1m.asf", "", Some(Format::Imm)),
            ("a.pts", "", Some(Format::Ibug)),
            ("labels_ibug_300W_train.xml", "", Some(Format::IbugXml)),
            ("labels_ibug_300W.xml", "", None),
            ("list_98pt_rect_attr_test.txt", "", Some(Format::Wflw)),
            ("list_98pt_test_pose.txt", "", None),
            ("mine.csv", "file,x,y,w,h,x0,y0,x1,y1\n", Some(Format::Csv)),
            ("faces.csv", "file,x,y,w,h,source,score\n", None),
            ("mesh478.npy", "", Some(Format::Open)),
            ("pose.npy", "", None),
        ];
        for (name, text, format) in cases {
            let dir = tempfile::tempdir()?;
            fs::write(dir.path().join(name), text)?;
            assert_eq!(Format::recognise(dir.path(), None).ok(), format, "{name}");
        }
        Ok(())
    }

    #[test]
    fn of_several_formats_the_scheme_decides_or_the_user_must() -> Result<()> {
        let dir = tempfile::tempdir()?;
        for name in ["01-1m.asf", "a.pts", "labels_ibug_300W_test.xml"] {
            fs::write(dir.path().join(name), "")?;
        }
        assert_eq!(Format::recognise(dir.path(), Some(Scheme::Nose))?, Format::Imm);
        let error = Format::recognise(dir.path(), Some(Scheme::Ibug68)).expect_err("there are two");
        assert!(error.to_string().ends_with("--format: ibug, ibug-xml"), "{error}");
        Ok(())
    }
}
