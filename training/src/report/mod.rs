//! A run's report: one HTML file that needs nothing beside it.

pub mod chart;
mod contents;
pub mod frame;
mod held_out;
mod page;
mod photos;
mod picture;
mod rivals;

use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::backend::AutodiffBackend;

use crate::dataset::Source;
use crate::files::write_atomically;
pub use contents::Options;
use contents::contents;
use page::page;

/// Writes the report of a run.
///
/// # Errors
/// If the run or its data cannot be read, or the report not be written.
pub fn write<B: AutodiffBackend>(run: &Path, options: &Options, device: &B::Device) -> Result<()> {
    let html = page(&contents::<B>(run, options, device)?).into_string();
    write_atomically(&options.output, html.as_bytes())
}

/// The report beside a run's other files, without asking for anything; written when a training ends.
pub fn write_beside<B: AutodiffBackend>(run: &Path, data: &Source, device: &B::Device) -> Result<PathBuf> {
    let output = run.join("report.html");
    let options = Options {
        data: data.clone(),
        photos: None,
        against: Vec::new(),
        notes: None,
        without_photos: false,
        output: output.clone(),
    };
    write::<B>(run, &options, device)?;
    Ok(output)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Autodiff;
    use burn_flex::Flex;

    use std::fs;

    use super::*;
    use crate::recipe::{NetKind, Recipe};
    use crate::{test_data, train};

    #[test]
    fn a_page_needs_nothing_beside_it_and_shows_no_photos_if_told_so() -> Result<()> {
        let _alone = test_data::random_numbers();
        let dir = tempfile::tempdir()?;
        let data = Source::from(test_data::imm(&dir.path().join("imm"))?);
        let (run, notes) = (dir.path().join("run"), dir.path().join("notes.txt"));
        let device = Default::default();
        let recipe = Recipe { epochs: 2, batch: 4, ..Recipe::best(NetKind::Nose) };
        train::start::<Autodiff<Flex>>(&data, &run, &recipe, None, None, &device)?;
        fs::write(&notes, "It fails\nin <fog>.\n\n\nMore light was tried.\n")?;
        for (without_photos, n_photos) in [(false, 2 * (6 + 4)), (true, 0)] {
            let output = dir.path().join("page.html");
            let options = Options {
                data: data.clone(),
                photos: None,
                against: vec![run.clone()],
                notes: Some(notes.clone()),
                without_photos,
                output,
            };
            write::<Autodiff<Flex>>(&run, &options, &device)?;
            let page = fs::read_to_string(&options.output)?;
            assert_eq!(page.matches("<image href=\"data:image/jpeg").count(), n_photos);
            assert_eq!(page.matches("<img src=\"data:image/jpeg").count(), 12, "the filters");
            assert!(!page.contains("http") && !page.contains("url("), "it asks for other files");
            assert!(page.contains("<p>It fails in &lt;fog&gt;.</p><p>More light was tried.</p>"));
            assert!(page.contains("the whole photo, two looks"));
            assert!(
                page.contains("<th>run</th>")
                    && page.contains("run, one look")
                    && page.contains("held out, run")
            );
        }
        Ok(())
    }
}
