//! A data set from what models find, for another net to learn from: photos that have poor points or none by hand, and
//! the models' view of those that have good ones (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use facemark::face::Scheme;
use facemark::geometry::Point;
use facemark::model::{LandmarkModel, Landmarker};
use rayon::prelude::*;

use crate::dataset::{self, Sample, Source, find_faces, table};
use crate::eval::find::{Found, find_all, load_model, look};
use crate::eval::looks::Look;
use crate::files::write_atomically;
use crate::metrics::FaceError;
use crate::translate::Translation;

/// What became of the faces.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    /// In the table.
    pub written: usize,
    /// Too far from the photos' own points, or found too differently by the models.
    pub left_out: usize,
}

/// Where the faces are.
pub enum Faces {
    /// Where the training photos' points are.
    Annotated,
    /// Where the tracker finds them: nobody annotated the photos.
    Unlabelled,
}

/// Writes a [`table`] of the landmarks that the models in these files find in two looks at the faces of `data`: the mean of
/// all models. Faces where a model has an NME above `at_most` per cent by the photo's own points, or by the mean, are left out.
///
/// With `imm`, the folder of that data set, the table has IMM's 58 points, as they follow from what the models find.
///
/// # Errors
/// If a model or the photos cannot be read, the models find different points, the table cannot be written, or no face is left.
pub fn label(
    models: &[PathBuf],
    data: &Source,
    faces: &Faces,
    at_most: f64,
    imm: Option<&Path>,
    output: &Path,
) -> Result<Counts> {
    let schemes = models.iter().map(|file| Ok(load_model(file)?.spec().scheme));
    let schemes = schemes.collect::<Result<Vec<_>>>()?;
    let scheme = *schemes.first().context("no model to ask")?;
    ensure!(schemes.iter().all(|&other| other == scheme), "the models find different points");
    let translation = imm.map(|imm| to_imm(models, imm)).transpose()?;
    let samples = match faces {
        Faces::Annotated => annotated(data, scheme)?,
        Faces::Unlabelled => {
            ensure!(scheme == Scheme::Ibug68, "--find is for models of the 68 points that the tracker finds");
            find_faces(&data.path, data.reading.skip_bad)?
        }
    };
    let views =
        models.iter().map(|file| view(file, &samples, scheme)).collect::<Result<Vec<Vec<Found>>>>()?;
    let labelled = (0..samples.len()).map(|i| {
        let views: Vec<&Found> = views.iter().map(|view| &view[i]).collect();
        agreed(&samples[i], &views, scheme, at_most)
    });
    let faces: Vec<(PathBuf, Vec<Point>)> = samples
        .iter()
        .zip(labelled)
        .filter_map(|(sample, points)| Some((sample, points?)))
        .map(|(sample, points)| {
            let points = match &translation {
                Some(translation) => translation.apply(&points)?,
                None => points,
            };
            let picture = sample.picture.canonicalize();
            Ok((picture.with_context(|| sample.picture.display().to_string())?, points))
        })
        .collect::<Result<_>>()?;
    ensure!(!faces.is_empty(), "no model sees a face as its points do; a larger --at-most keeps more");
    write_atomically(output, &table(&faces)?)?;
    Ok(Counts { written: faces.len(), left_out: samples.len() - faces.len() })
}

/// The faces to train on.
fn annotated(data: &Source, scheme: Scheme) -> Result<Vec<Sample>> {
    let mut samples = dataset::load_for_training(data, scheme)?;
    samples.retain(|sample| !sample.held_out);
    Ok(samples)
}

/// IMM's points from what the models find, as it is on IMM's photos for training.
fn to_imm(models: &[PathBuf], imm: &Path) -> Result<Translation> {
    let samples = annotated(&Source::from(imm.to_owned()), Scheme::Imm58)?;
    let find = |model: &mut LandmarkModel, part: &[Sample]| -> Result<Vec<_>> {
        let at = |sample: &Sample| Look { region: sample.region, twice: true };
        part.iter().map(|sample| Ok(look(model, sample, at(sample))?.points)).collect()
    };
    let views = models.iter().map(|file| on_all_cores(file, &samples, find)).collect::<Result<Vec<_>>>()?;
    let found: Vec<_> =
        (0..samples.len()).map(|i| mean(views.iter().map(|view| view[i].as_slice()))).collect();
    let by_hand: Vec<_> = samples.into_iter().map(|sample| sample.points).collect();
    Translation::fit(&found, &by_hand)
}

/// The mean of what several models find in a face.
fn mean<'a>(views: impl ExactSizeIterator<Item = &'a [Point]>) -> Vec<Point> {
    let share = 1.0 / views.len() as f32;
    let mut mean = Vec::new();
    for view in views {
        mean.resize(view.len(), Point::default());
        for (mean, point) in mean.iter_mut().zip(view) {
            *mean = Point::new(mean.x + share * point.x, mean.y + share * point.y);
        }
    }
    mean
}

/// What a model makes of each face.
fn view(model: &Path, samples: &[Sample], scheme: Scheme) -> Result<Vec<Found>> {
    let find = |model: &mut LandmarkModel, part: &[Sample]| {
        let look = |sample: &Sample| Some(Look { region: sample.region, twice: true });
        let looks: Vec<_> = part.iter().map(look).collect();
        find_all(model, part, &looks, scheme)
    };
    Ok(on_all_cores(model, samples, find)?.into_iter().flatten().collect())
}

/// What `find` makes of each face with the model in a file, a part of the faces on each core.
fn on_all_cores<T: Send>(
    model: &Path,
    samples: &[Sample],
    find: impl Fn(&mut LandmarkModel, &[Sample]) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let part = samples.len().div_ceil(rayon::current_num_threads()).max(1);
    let found = samples.par_chunks(part).map(|part| find(&mut load_model(model)?, part));
    Ok(found.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// The mean of what the models see in a face; `None` if one of them disagrees with the face's own points or with the mean.
fn agreed(sample: &Sample, views: &[&Found], scheme: Scheme, at_most: f64) -> Option<Vec<Point>> {
    let mean = mean(views.iter().map(|view| view.points.as_slice()));
    let of_mean = Sample { points: mean.clone(), ..sample.clone() };
    let disagrees = |view: &&Found| {
        let by_mean = FaceError::new(&view.points, &of_mean, scheme);
        100.0 * view.error.nme().max(by_mean.nme()) > at_most
    };
    (!views.iter().any(disagrees)).then_some(mean)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::fs;
    use std::slice::from_ref;

    use burn_flex::Flex;
    use facemark::face::Scheme;

    use super::*;
    use crate::nets::{Net, Storage};
    use crate::recipe::{NetKind, Recipe};
    use crate::test_data;

    /// A model that answers the same shape wherever it looks.
    fn model(file: PathBuf, kind: NetKind, by: f32) -> Result<PathBuf> {
        let n_points = kind.scheme().n_points();
        let shape: Vec<f32> = (0..2 * n_points).map(|i| 0.45 + by + 0.002 * (i % 40) as f32).collect();
        let net = Net::<Flex>::new(kind, &shape, &Default::default());
        let spec = kind.spec(Recipe::best(kind).framing);
        fs::write(&file, net.to_onnx(&spec, Storage::F32))?;
        Ok(file)
    }

    #[test]
    fn a_table_of_what_a_model_finds_can_be_trained_with() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let (model, output) =
            (model(dir.path().join("net.onnx"), NetKind::FullFace, 0.0)?, dir.path().join("found.csv"));
        let label = |at_most: f64| label(from_ref(&model), &data, &Faces::Annotated, at_most, None, &output);
        let counts = label(f64::INFINITY)?;
        assert_eq!(counts, Counts { written: 6, left_out: 0 }, "four of ten people are held out");

        let labelled = dataset::load_for_training(&Source::from(output.clone()), Scheme::Imm58)?;
        let own = dataset::load_for_training(&data, Scheme::Imm58)?;
        for face in &labelled {
            let photo = own.iter().find(|own| own.picture.file_name() == face.picture.file_name());
            let photo = photo.context("it is one of the photos")?;
            assert_eq!(face.photo, photo.photo);
            assert!(!photo.held_out && face.points != photo.points);
        }
        let both = dataset::load_for_training(
            &Source { more: vec![output.clone()], ..data.clone() },
            Scheme::Imm58,
        )?;
        let held_out = both.iter().filter(|sample| sample.held_out).count();
        assert_eq!((both.len(), held_out), (own.len() + 6, own.len() - 6));

        let error = label(0.0).expect_err("nobody agrees to the last digit");
        assert!(error.to_string().contains("--at-most"), "{error}");
        Ok(())
    }

    #[test]
    fn several_models_give_their_mean_and_leave_out_what_they_see_differently() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let output = dir.path().join("found.csv");
        let one = model(dir.path().join("one.onnx"), NetKind::FullFace, 0.0)?;
        let other = model(dir.path().join("other.onnx"), NetKind::FullFace, 0.05)?;
        let points = |models: &[PathBuf]| -> Result<Vec<Point>> {
            label(models, &data, &Faces::Annotated, f64::INFINITY, None, &output)?;
            let found = dataset::load_for_training(&Source::from(output.clone()), Scheme::Imm58)?;
            Ok(found.into_iter().flat_map(|sample| sample.points).collect())
        };
        let (a, b) = (points(from_ref(&one))?, points(from_ref(&other))?);
        let both = [one, other];
        for ((a, b), mean) in a.iter().zip(&b).zip(points(&both)?) {
            assert!(((a.x + b.x) / 2.0 - mean.x).abs() < 0.02 && ((a.y + b.y) / 2.0 - mean.y).abs() < 0.02);
        }
        assert!(label(&both, &data, &Faces::Annotated, 1.0, None, &output).is_err(), "they differ by more");
        Ok(())
    }

    #[test]
    fn a_table_has_imms_points_if_asked() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let imm = test_data::imm(&dir.path().join("imm"))?;
        let output = dir.path().join("found.csv");
        let models = [model(dir.path().join("net.onnx"), NetKind::Resnet18, 0.0)?];
        let data = dir.path().join("300w");
        test_data::ibug(&data, &["a", "b", "c"])?;
        let data = Source::from(data);
        let counts = label(&models, &data, &Faces::Annotated, f64::INFINITY, Some(&imm), &output)?;
        let (faces, found) =
            (annotated(&data, Scheme::Ibug68)?, dataset::load(&Source::from(output), Scheme::Imm58)?);
        assert_eq!((found.len(), counts.left_out), (faces.len(), 0));
        for (face, found) in faces.iter().zip(&found) {
            let center = found.region.center;
            let off = (center.x - face.region.center.x).hypot(center.y - face.region.center.y);
            assert!(off < face.region.size / 2.0, "IMM's points lie elsewhere: {center:?}");
        }
        Ok(())
    }

    #[test]
    fn the_largest_face_of_a_photo_without_points_is_labelled() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let photos = dir.path().join("photos");
        fs::create_dir(&photos)?;
        let media = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media");
        fs::copy(media.join("astronaut.jpg"), photos.join("astronaut.jpg"))?;
        image::GrayImage::new(80, 60).save(photos.join("nobody.png"))?;
        let output = dir.path().join("found.csv");
        let data = Source::from(photos.clone());
        let models = [media.join("../models/compact.onnx")];
        let counts = label(&models, &data, &Faces::Unlabelled, 1.0, None, &output)?;
        assert_eq!(counts, Counts { written: 1, left_out: 0 }, "the model is the tracker's own");
        let found = dataset::load(&Source::from(output.clone()), Scheme::Ibug68)?;
        assert!(found[0].picture.ends_with("astronaut.jpg") && found[0].region.size > 50.0);

        let unlike = [model(dir.path().join("net.onnx"), NetKind::Resnet18, 0.0)?];
        assert!(label(&unlike, &data, &Faces::Unlabelled, 10.0, None, &output).is_err(), "it sees no face");
        let other = [model(dir.path().join("other.onnx"), NetKind::FullFace, 0.0)?];
        let error =
            label(&other, &data, &Faces::Unlabelled, 10.0, None, &output).expect_err("it finds other points");
        assert!(error.to_string().contains("--find"), "{error}");
        Ok(())
    }
}
