//! Writes what was measured into the model's file, so that tables about models can be printed from the files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use facemark::onnx::spec::{Calibration, KEY, Spec};
use prost::Message;
use tract_onnx::pb::{ModelProto, StringStringEntryProto};

use crate::files::write_atomically;

/// The key of a test whose faces were given, or of a detector's test.
pub const TEST: &str = "test";
/// The key of a test in which a detector's boxes said where the faces are.
pub const TEST_BOXES: &str = "test_boxes";

/// Puts `text` under `key` into the file's training record. The rest of the file stays byte for byte as it is.
///
/// # Errors
/// If the file is no model of ours, or cannot be read or written; it is then as it was.
pub fn record(file: &Path, key: &str, text: &str) -> Result<()> {
    change(file, |spec| {
        let training = match spec {
            Spec::Landmarks(spec) => &mut spec.training,
            Spec::FaceDetector(spec) => &mut spec.training,
        };
        training.insert(key.to_owned(), text.to_owned());
        Ok(())
    })
}

/// Puts a calibration into a detector's file, on top of the one that it has. The rest of the file stays as it is.
///
/// # Errors
/// As [`record`], and if the file's net is none that finds faces.
pub fn calibrate(file: &Path, further: &Calibration) -> Result<()> {
    change(file, |spec| {
        let Spec::FaceDetector(spec) = spec else { bail!("its net is no detector") };
        let old = spec.calibration.unwrap_or(Calibration { slope: 1.0, offset: 0.0 });
        let round = |value: f32| (value * 1e3).round() / 1e3;
        let [slope, offset] =
            [further.slope * old.slope, further.slope * old.offset + further.offset].map(round);
        spec.calibration = Some(Calibration { slope, offset });
        Ok(())
    })
}

/// Multiplies the distances that a landmark model expects, on top of what its file already multiplies them by. The rest of
/// the file stays as it is.
///
/// # Errors
/// As [`record`], and if the file's net expects none.
pub fn scale_sigmas(file: &Path, factor: f64) -> Result<()> {
    change(file, |spec| match spec {
        Spec::Landmarks(spec) if spec.sigma => {
            let scale = factor * f64::from(spec.sigma_scale.unwrap_or(1.0));
            spec.sigma_scale = Some(((scale * 1e3).round() / 1e3) as f32);
            Ok(())
        }
        _ => bail!("its net does not say how far off its landmarks may be"),
    })
}

fn change(file: &Path, change: impl FnOnce(&mut Spec) -> Result<()>) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let changed = changed(&bytes, change);
    write_atomically(
        file,
        &changed.with_context(|| format!("cannot write the result into {}", file.display()))?,
    )
}

fn changed(bytes: &[u8], change: impl FnOnce(&mut Spec) -> Result<()>) -> Result<Vec<u8>> {
    let mut spec = Spec::of_file(bytes)?;
    let model = ModelProto::decode(bytes)?;
    let metadata = model.metadata_props.into_iter().find(|entry| entry.key == KEY);
    let metadata = metadata.context("it holds no facemark metadata")?.value;
    change(&mut spec)?;
    let (old, new) = (field(metadata), field(spec.to_metadata().1));
    // Encoding the whole model again would put its fields into another order.
    let places: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i..].starts_with(&old)).collect();
    let &[place] = &places[..] else {
        bail!("its metadata were not written by facemark-train; export it again");
    };
    let recorded = [&bytes[..place], &new, &bytes[place + old.len()..]].concat();
    Spec::of_file(&recorded)?;
    Ok(recorded)
}

/// The bytes that our metadata take up in a file: those of a model that holds nothing else.
fn field(value: String) -> Vec<u8> {
    let entry = StringStringEntryProto { key: KEY.to_owned(), value };
    ModelProto { metadata_props: vec![entry], ..ModelProto::default() }.encode_to_vec()
}

/// What a data set is called in a file: its folder's name, and the name above it where that one is everybody's.
pub fn set_name(data: &Path) -> String {
    let path = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_common = ["test", "testset", "train", "trainset", "training"].contains(&name(&path).as_str());
    match path.parent().filter(|_| is_common) {
        Some(parent) => format!("{}/{}", name(parent), name(&path)),
        None => name(&path),
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use std::collections::BTreeMap;

    use burn_flex::Flex;

    use super::*;
    use crate::nets::{Net, Storage};
    use crate::recipe::{NetKind, Recipe};
    use crate::test_data;

    const TEXT: &str = "3.26 % (lfpw/testset, 224 faces, given boxes)";

    fn training(bytes: &[u8]) -> Result<BTreeMap<String, String>> {
        Ok(match Spec::of_file(bytes)? {
            Spec::Landmarks(spec) => spec.training,
            Spec::FaceDetector(spec) => spec.training,
        })
    }

    #[test]
    fn a_test_is_recorded_and_no_other_byte_changes() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("net.onnx");
        for kind in [NetKind::Nose, NetKind::Face] {
            let mut spec = kind.spec(Recipe::best(kind).framing);
            spec.training = BTreeMap::from([("data".to_owned(), "imm".to_owned())]);
            let original =
                Net::<Flex>::new(kind, &[0.5; 2], &Default::default()).to_onnx(&spec, Storage::Int8);
            fs::write(&file, &original)?;
            record(&file, TEST, "0.00 % (nothing)")?;
            record(&file, TEST, TEXT)?;
            record(&file, TEST_BOXES, "4.00 %")?;
            let recorded = fs::read(&file)?;
            let expected = [("data", "imm"), (TEST, TEXT), (TEST_BOXES, "4.00 %")];
            let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(training(&recorded)?, BTreeMap::from(expected));

            let added = format!(",\"test\":\"{TEXT}\",\"test_boxes\":\"4.00 %\"");
            let at = recorded.windows(added.len()).position(|bytes| bytes == added.as_bytes());
            let at = at.context("the entries lie side by side")?;
            let without = [&recorded[..at], &recorded[at + added.len()..]].concat();
            // Left are the lengths of the metadata, of one key-value pair and of its value, two bytes each.
            assert_eq!(without.len(), original.len());
            assert!(without.iter().zip(&original).filter(|(a, b)| a != b).count() <= 6);
            assert_eq!(fs::read_dir(dir.path())?.count(), 1, "nothing else is left behind");
        }
        Ok(())
    }

    #[test]
    fn expected_distances_are_scaled_again_and_again() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("net.onnx");
        let write = |kind: NetKind| -> Result<()> {
            let spec = kind.spec(Recipe::best(kind).framing);
            let net = Net::<Flex>::new(kind, &vec![0.5; 2 * spec.scheme.n_points()], &Default::default());
            Ok(fs::write(&file, net.to_onnx(&spec, Storage::Int8))?)
        };
        write(NetKind::Compact)?;
        for (factor, expected) in [(1.2, 1.2), (1.1, 1.32)] {
            scale_sigmas(&file, factor)?;
            let Spec::Landmarks(spec) = Spec::of_file(&fs::read(&file)?)? else { bail!("another net") };
            assert_eq!(spec.sigma_scale, Some(expected));
        }
        write(NetKind::Nose)?;
        let error = format!("{:#}", scale_sigmas(&file, 1.2).expect_err("it expects no distances"));
        assert!(error.contains("how far off"), "{error}");
        Ok(())
    }

    #[test]
    fn what_is_no_model_of_ours_stays_as_it_is() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("net.onnx");
        let foreign = ModelProto { ir_version: 8, ..ModelProto::default() }.encode_to_vec();
        for (bytes, message) in [(&b"a poem"[..], "not an ONNX file"), (&foreign, "no facemark metadata")] {
            fs::write(&file, bytes)?;
            let error = format!("{:#}", record(&file, TEST, TEXT).expect_err("it cannot be recorded"));
            assert!(error.contains("net.onnx") && error.contains(message), "{error}");
            assert_eq!(fs::read(&file)?, bytes);
        }
        Ok(())
    }

    #[test]
    fn sets_are_called_by_the_name_that_tells_them_apart() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let test = dir.path().join("lfpw/testset");
        fs::create_dir_all(&test)?;
        assert_eq!(set_name(&test), "lfpw/testset");
        assert_eq!(set_name(&dir.path().join("lfpw")), "lfpw");
        Ok(())
    }
}
