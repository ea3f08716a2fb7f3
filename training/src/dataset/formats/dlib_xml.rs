//! dlib's lists of 300-W (`labels_ibug_300W_train.xml` and `…_test.xml`), the format of its tool imglab.
//!
//! ```xml
//! <image file='lfpw/testset/image_0001.jpg'>
//!   <box top='62' left='81' width='163' height='163'>
//!     <part name='00' x='82' y='99'/>
//! ```
//!
//! A box and 68 parts a face; 0-based pixels; pictures are below the list's folder. A box may say that it is to be ignored.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use facemark::geometry::Point;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::ibug;
use crate::dataset::annotation::{Annotation, Place, number};
use crate::dataset::face_box::FaceBox;
use crate::dataset::split::{Part, is_for_testing, photo_name};

/// Reads a list. A face that makes no sense is an error of its own, broken XML one of the whole list.
pub fn read(list: &Path) -> Result<Vec<Result<Annotation>>> {
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    let mut reader = Reader::from_str(&text);
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut faces = Vec::new();
    let mut picture = String::new();
    let mut face: Option<Face> = None;
    loop {
        let place = Place::line(list, lines.line_of(reader.buffer_position() as usize));
        let event = reader.read_event().map_err(|error| place.error(format!("it is not XML: {error}")))?;
        match event {
            Event::Eof => break,
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "image" => {
                picture = attribute(&tag, "file").map_err(|error| place.error(error))?;
            }
            Event::Start(tag) if tag.name().as_ref() == "box" => face = Some(Face::new(place, &tag)),
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "part" => {
                if let Some(face) = &mut face {
                    face.add(&place, &tag);
                }
            }
            Event::End(tag) if tag.name().as_ref() == "box" => {
                faces.extend(face.take().filter(|face| !face.ignored).map(|face| face.finish(&picture)));
            }
            _ => {}
        }
    }
    Ok(faces)
}

/// A face while it is read.
struct Face {
    place: Place,
    ignored: bool,
    face_box: Result<FaceBox>,
    points: Vec<Option<Point>>,
    /// The first thing that was wrong with a part.
    error: Option<anyhow::Error>,
}

impl Face {
    fn new(place: Place, tag: &BytesStart<'_>) -> Self {
        let number = |name| number(&attribute(tag, name)?);
        let face_box = || {
            Ok(FaceBox {
                left: number("left")?,
                top: number("top")?,
                width: number("width")?,
                height: number("height")?,
            })
        };
        let ignored = attribute(tag, "ignore").is_ok_and(|value| value == "1");
        Self { ignored, face_box: face_box(), points: vec![None; ibug::N_POINTS], error: None, place }
    }

    fn add(&mut self, place: &Place, tag: &BytesStart<'_>) {
        let part = || -> Result<(usize, Point)> {
            let name = attribute(tag, "name")?;
            let index = name.parse().ok().filter(|&i: &usize| i < ibug::N_POINTS);
            let index = index.with_context(|| format!("the part {name:?} is not one of the 68 points"))?;
            Ok((index, Point::new(number(&attribute(tag, "x")?)?, number(&attribute(tag, "y")?)?)))
        };
        match part() {
            Ok((index, point)) => self.points[index] = Some(point),
            Err(error) => _ = self.error.get_or_insert_with(|| place.error(format!("{error:#}"))),
        }
    }

    fn finish(self, picture: &str) -> Result<Annotation> {
        let Self { place, face_box, points, error, .. } = self;
        error.map_or(Ok(()), Err)?;
        let face_box = face_box.map_err(|error| place.error(format!("{error:#}")))?;
        let points: Vec<Point> = points.into_iter().flatten().collect();
        ensure!(points.len() == ibug::N_POINTS, "{place}: it has {} points instead of 68", points.len());
        let file = Path::new(picture);
        let photo = photo_name(file);
        let is_test = is_for_testing(file, false) || is_for_testing(&place.file, true);
        let is_numbered = file.file_stem().is_some_and(|stem| stem.to_string_lossy() != photo);
        Ok(Annotation {
            mesh: None,
            points,
            relative: false,
            picture: place.file.with_file_name(file),
            face_box: Some(face_box),
            part: if is_test { Part::Test } else { Part::of_photo(&photo) },
            identity: if is_numbered { photo } else { file.with_extension("").display().to_string() },
            place,
        })
    }
}

/// An attribute's text.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<String> {
    match tag.try_get_attribute(name)? {
        Some(attribute) => Ok(unescape(&attribute.value)?.into_owned()),
        None => bail!("the tag {:?} has no {name}", tag.name().as_ref()),
    }
}

/// Counts lines as the reader goes through the text.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of a tag that begins at or, after white space, behind `position`, which never goes back.
    fn line_of(&mut self, position: usize) -> usize {
        let space = self.text[position..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let position = position + space;
        self.line += self.text[self.at..position].iter().filter(|&&byte| byte == b'\n').count();
        self.at = position;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(parts: usize, third: &str) -> String {
        let part = |i: usize| match i {
            2 => format!("      {third}\n"),
            _ => format!("      <part name='{i:02}' x='{}' y='{}'/>\n", i + 10, 2 * i),
        };
        let parts: String = (0..parts).map(part).collect();
        format!(
            "<?xml version='1.0'?>\n<dataset>\n<images>\n  <image file='helen/trainset/12_1.jpg'>\n    \
             <box top='5' left='4' width='60' height='70'>\n{parts}    </box>\n    \
             <box top='1' left='1' width='9' height='9' ignore='1'>\n    </box>\n  </image>\n</images>\n</dataset>\n"
        )
    }

    #[test]
    fn boxes_hold_their_parts() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("labels_ibug_300W_train.xml");
        fs::write(&file, list(68, "<part name='02' x='12' y='4'/>"))?;
        let faces: Vec<Annotation> = read(&file)?.into_iter().collect::<Result<_>>()?;
        let [face] = &faces[..] else { bail!("{} faces", faces.len()) };
        assert_eq!(face.place, Place::line(&file, 5));
        assert_eq!(face.points[67], Point::new(77.0, 134.0));
        assert_eq!(face.face_box, Some(FaceBox { left: 4.0, top: 5.0, width: 60.0, height: 70.0 }));
        assert_eq!(face.picture, dir.path().join("helen/trainset/12_1.jpg"));
        assert_eq!((face.identity.as_str(), face.part == Part::Test), ("12", false));
        fs::rename(&file, dir.path().join("labels_ibug_300W_test.xml"))?;
        let faces = read(&dir.path().join("labels_ibug_300W_test.xml"))?;
        assert!(faces[0].as_ref().is_ok_and(|face| face.part == Part::Test));
        Ok(())
    }

    #[test]
    fn bad_faces_and_broken_files_are_named_with_their_line() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("a.xml");
        let cases = [
            (list(67, "<part name='02' x='1' y='4'/>"), "a.xml:5: it has 67 points"),
            (list(68, "<part name='02' x='NaN' y='4'/>"), "a.xml:8: \"NaN\""),
            (list(68, "<part name='68' x='1' y='4'/>"), "a.xml:8: the part \"68\""),
            (list(68, "<part name='02' y='4'/>"), "a.xml:8: the tag \"part\" has no x"),
            (list(68, "</image>"), "a.xml:8: it is not XML"),
        ];
        for (text, part) in cases {
            fs::write(&file, text)?;
            let error = match read(&file) {
                Ok(faces) => faces.into_iter().find_map(Result::err).context(part)?,
                Err(error) => error,
            };
            assert!(error.to_string().contains(part), "{error}");
        }
        Ok(())
    }
}
