//! A data set from what a model finds, for another net to learn from: photos that have poor points or none by hand, and
//! the model's view of those that have good ones (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use facemark::geometry::Point;
use facemark::model::Landmarker;

use crate::dataset::{self, Sample, Source, table};
use crate::eval::find::{Found, find_all, load_model};
use crate::eval::looks::Look;
use crate::files::write_atomically;

/// What became of the faces.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    /// In the table.
    pub written: usize,
    /// Too far from the photos' own points.
    pub left_out: usize,
}

/// Writes a [`table`] of the landmarks that the model in the file `model` finds in two looks at the training faces of
/// `data`; those with an NME above `at_most` per cent by the photos' own points are left out.
///
/// # Errors
/// If model or photos cannot be read, the table cannot be written, or no face is left.
pub fn label(model: &Path, data: &Source, at_most: f64, output: &Path) -> Result<Counts> {
    let mut model = load_model(model)?;
    let scheme = model.spec().scheme;
    let mut samples = dataset::load_for_training(data, scheme)?;
    samples.retain(|sample| !sample.held_out);
    let looks: Vec<_> =
        samples.iter().map(|sample| Some(Look { region: sample.region, twice: true })).collect();
    let found = find_all(&mut model, &samples, &looks, scheme)?;
    let found = samples.iter().zip(found.into_iter().flatten());
    let agreed = |(_, found): &(&Sample, Found)| 100.0 * found.error.nme() <= at_most;
    let faces: Vec<(PathBuf, Vec<Point>)> = found
        .filter(agreed)
        .map(|(sample, found)| {
            let picture = sample.picture.canonicalize();
            Ok((picture.with_context(|| sample.picture.display().to_string())?, found.points))
        })
        .collect::<Result<_>>()?;
    ensure!(!faces.is_empty(), "the model sees no face as its points do; a larger --at-most keeps more");
    write_atomically(output, &table(&faces)?)?;
    Ok(Counts { written: faces.len(), left_out: samples.len() - faces.len() })
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::fs;

    use burn_flex::Flex;
    use facemark::face::Scheme;

    use super::*;
    use crate::nets::{Net, Storage};
    use crate::recipe::{NetKind, Recipe};
    use crate::test_data;

    #[test]
    fn a_table_of_what_a_model_finds_can_be_trained_with() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let (model, output) = (dir.path().join("net.onnx"), dir.path().join("found.csv"));
        let shape: Vec<f32> = (0..116).map(|i| 0.45 + 0.002 * (i % 40) as f32).collect();
        let net = Net::<Flex>::new(NetKind::FullFace, &shape, &Default::default());
        let spec = NetKind::FullFace.spec(Recipe::best(NetKind::FullFace).framing);
        fs::write(&model, net.to_onnx(&spec, Storage::F32))?;
        let counts = label(&model, &data, 1000.0, &output)?;
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

        let error = label(&model, &data, 0.0, &output).expect_err("nobody agrees to the last digit");
        assert!(error.to_string().contains("--at-most"), "{error}");
        Ok(())
    }
}
