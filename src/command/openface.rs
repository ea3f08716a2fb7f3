//! `facemark openface`: the arguments of OpenFace 2's `FeatureExtraction`, turned into those of `annotate`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use clap::Parser;
use log::LevelFilter;

use super::annotate;
use super::common::Settings;
use crate::cli::{Annotate, Cli, Command, Openface};
use crate::error::Fault;
use crate::output::MadeFolder;
use crate::output::openface::Columns;
use crate::source::files::Files;

/// What OpenFace writes and we do not have: the argument, and what it stands for.
const LACKING: [(&str, &str); 6] = [
    ("-3Dfp", "3D landmarks"),
    ("-pdmparams", "shape parameters"),
    ("-aus", "action units"),
    ("-simalign", "aligned faces"),
    ("-hogalign", "HOG features"),
    ("-tracked", "the video with the face drawn in, for which there is `facemark annotate -o`"),
];
/// Arguments that change nothing here: how OpenFace finds faces, and what it shows.
const WITHOUT_EFFECT: [&str; 10] = [
    "-wild",
    "-au_static",
    "-g",
    "-nobadaligned",
    "-nomask",
    "-verbose",
    "-vis-track",
    "-vis-hog",
    "-vis-align",
    "-vis-aus",
];
/// The same, with a value after them.
const VALUE_WITHOUT_EFFECT: [&str; 11] = [
    "-mloc",
    "-multi_view",
    "-fx",
    "-fy",
    "-cx",
    "-cy",
    "-simscale",
    "-simsize",
    "-format_aligned",
    "-format_vis_image",
    "-oc",
];
/// The model that sees irises.
const GAZING: &str = "mesh";
/// The camera's field of view in degrees that OpenFace takes if no focal length is given: its focal length is 500 px in a
/// picture 640 px wide.
const FOV: &str = "65.24";
/// Where OpenFace writes if no folder is given.
const DEFAULT_FOLDER: &str = "processed";

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    videos: Vec<PathBuf>,
    /// Folders of pictures.
    folders: Vec<PathBuf>,
    out_dir: Option<PathBuf>,
    /// The name of the table, with or without an extension.
    name: Option<PathBuf>,
    gaze: bool,
    pose: bool,
    points: bool,
    /// Indices into [`LACKING`].
    lacking: Vec<usize>,
    quiet: bool,
    overwrite: bool,
}

/// Writes OpenFace's table for each video and each folder of pictures.
///
/// # Errors
/// [`Fault::Usage`] for arguments that OpenFace does not have either, and as [`annotate`](super::annotate()).
pub fn openface(args: &Openface, settings: Settings, stop: &AtomicBool) -> Result<()> {
    let request = Request::read(&args.words)?;
    if request.quiet {
        log::set_max_level(LevelFilter::Error);
    }
    request.tell_what_is_left_out();
    let settings = Settings { quiet: settings.quiet || request.quiet, ..settings };
    let out_dir = request.out_dir.as_deref().unwrap_or(Path::new(DEFAULT_FOLDER));
    let table = |name: &Path| out_dir.join(name).with_extension("csv");
    let mut runs = Vec::new();
    if !request.videos.is_empty() {
        // A name that ends in a slash is a folder, for one video, too.
        let target = request.name.as_deref().map_or(out_dir.join(""), table);
        runs.push((request.videos.clone(), target));
    }
    for folder in &request.folders {
        let name =
            request.name.as_deref().unwrap_or(Path::new(folder.file_name().unwrap_or(OsStr::new("out"))));
        runs.push((Files::new(std::slice::from_ref(folder))?.paths().to_vec(), table(name)));
    }
    let _folder = MadeFolder::new(out_dir)?;
    runs.iter().try_for_each(|(input, target)| annotate(&request.annotate(input, target)?, settings, stop))
}

impl Request {
    fn read(words: &[OsString]) -> Result<Self> {
        let mut request = Self::default();
        let mut words = words.iter().map(OsString::as_os_str).peekable();
        while let Some(word) = words.next() {
            let name = word.to_string_lossy();
            let mut value = || {
                let message = || Fault::Usage.error(format!("{name} needs a value after it"));
                words.next().map(PathBuf::from).ok_or_else(message)
            };
            match &*name {
                "-f" => {
                    request.videos.push(value()?);
                    // OpenFace has one -f for each; several names after one are taken, too.
                    while let Some(more) = words.next_if(|word| !word.as_encoded_bytes().starts_with(b"-")) {
                        request.videos.push(more.into());
                    }
                }
                "-fdir" => request.folders.push(value()?),
                "-out_dir" => request.out_dir = Some(value()?),
                "-of" => request.name = Some(value()?),
                "-gaze" => request.gaze = true,
                "-pose" => request.pose = true,
                "-2Dfp" => request.points = true,
                "-q" | "--quiet" => request.quiet = true,
                "--overwrite" => request.overwrite = true,
                "-device" => {
                    return Err(Fault::Usage.error("-device: for a camera, use `facemark live --csv FILE`"));
                }
                known if VALUE_WITHOUT_EFFECT.contains(&known) => drop(value()?),
                known if WITHOUT_EFFECT.contains(&known) => (),
                other => match LACKING.iter().position(|(argument, _)| *argument == other) {
                    Some(lacking) => request.lacking.push(lacking),
                    None => {
                        let message =
                            format!("openface has no argument {other}; docs/openface.md lists those it has");
                        return Err(Fault::Usage.error(message));
                    }
                },
            }
        }
        request.checked()
    }

    fn checked(mut self) -> Result<Self> {
        match (self.videos.len() + self.folders.len(), &self.name) {
            (0, _) => {
                let message =
                    "nothing to read; give videos with -f VIDEO or a folder of pictures with -fdir FOLDER";
                return Err(Fault::Usage.error(message));
            }
            (2.., Some(_)) => {
                return Err(Fault::Usage.error("-of names one table; with several inputs leave it out"));
            }
            _ => (),
        }
        // As in OpenFace: everything, if nothing is asked for.
        if !self.gaze && !self.pose && !self.points && self.lacking.is_empty() {
            (self.gaze, self.pose, self.points) = (true, true, true);
            self.lacking = (0..LACKING.len()).collect();
        }
        Ok(self)
    }

    fn tell_what_is_left_out(&self) {
        let names: Vec<&str> = self.lacking.iter().map(|&i| LACKING[i].1).collect();
        if !names.is_empty() {
            log::warn!("left out, since facemark does not have it: {}", names.join("; "));
        }
    }

    /// The arguments of `annotate` that do the same.
    fn annotate(&self, input: &[PathBuf], target: &Path) -> Result<Annotate> {
        let mut words: Vec<&OsStr> = ["facemark", "annotate", "--max-faces", "1"].map(OsStr::new).into();
        if self.gaze {
            words.extend(["--model", GAZING, "--points", "68"].map(OsStr::new));
        }
        if self.gaze || self.pose {
            words.extend(["--measures", "--fov", FOV].map(OsStr::new));
        }
        words.extend(self.overwrite.then_some(OsStr::new("--overwrite")));
        words.extend([OsStr::new("--csv"), target.as_os_str(), OsStr::new("--")]);
        words.extend(input.iter().map(|path| path.as_os_str()));
        match Cli::try_parse_from(words).context("turning OpenFace's arguments into ours")?.command {
            Command::Annotate(mut args) => {
                args.data.openface = Some(Columns { gaze: self.gaze, pose: self.pose, points: self.points });
                Ok(args)
            }
            other => Err(Fault::Failure.error(format!("OpenFace's arguments became {other:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Request> {
        Request::read(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_mean_what_they_mean_there() {
        let request = read("-f a.mp4 -f b.mp4 c.mp4 -out_dir out -2Dfp -wild -mloc x/y.txt -aus").unwrap();
        assert_eq!(request.videos, ["a.mp4", "b.mp4", "c.mp4"].map(PathBuf::from));
        assert_eq!((request.out_dir, request.points, request.pose), (Some("out".into()), true, false));
        assert_eq!(request.lacking, [2]);
        let request = read("-q -fdir pictures -of name").unwrap();
        assert!(
            request.gaze
                && request.pose
                && request.points
                && request.quiet
                && request.lacking.len() == LACKING.len()
        );
        assert_eq!((request.folders, request.name), (vec!["pictures".into()], Some("name".into())));
        let request = read("-f -odd.mp4 -aus").unwrap();
        assert!(request.videos == [Path::new("-odd.mp4")] && !request.pose && !request.points);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (line, word) in [
            ("-pose", "-f VIDEO"),
            ("-f a -f b -of c", "one table"),
            ("-f", "value"),
            ("-f a -3dfp", "-3dfp"),
            ("-device 0", "live"),
            ("-f a -pose more.mp4", "more.mp4"),
        ] {
            let error = read(line).unwrap_err();
            assert!(Fault::of(&error) == Fault::Usage && error.to_string().contains(word), "{line}: {error}");
        }
    }

    #[test]
    fn annotate_gets_one_face_and_the_columns() {
        let request = read("-f a.mp4 -pose --overwrite").unwrap();
        let args = request.annotate(&request.videos, Path::new("out/")).unwrap();
        assert_eq!(args.data.openface, Some(Columns { gaze: false, pose: true, points: false }));
        assert!(args.tracking.measures && args.tracking.max_faces == Some(1) && args.overwrite);
        assert!(args.tracking.points.is_none() && args.tracking.fov == 65.24);
        let gazing = read("-f a.mp4 -gaze").unwrap().annotate(&request.videos, Path::new("out/")).unwrap();
        assert!(gazing.tracking.points.is_some() && gazing.tracking.model == GAZING);
        assert_eq!((args.input, args.data.csv), (request.videos, Some("out/".into())));
    }
}
