//! Prints the landmarks of each face in a photo:
//! `cargo run --release -p facemark --example photo -- media/astronaut.jpg`

use std::error::Error;

use facemark::{Image, Options, Tracker};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: photo FILE")?;
    let photo = image::open(&path)?.into_rgb8();
    let (width, height) = (photo.width() as usize, photo.height() as usize);

    // Faces in photos are often small, and speed hardly matters here.
    let mut tracker = Tracker::new(Options { small_faces: true, max_faces: 100, ..Options::default() })?;
    let faces = tracker.still(&Image::rgb(width, height, photo.as_raw())?)?;

    println!("{path}: {} faces", faces.len());
    for face in faces {
        println!("face {}, score {:.2}", face.id, face.score);
        for (i, point) in face.landmarks.iter().enumerate() {
            println!("{i} {:.1} {:.1}", point.x, point.y);
        }
    }
    Ok(())
}
