//! Prints the landmarks of each face in a photo: `cargo run --release --example photo -- media/astronaut.jpg`

use std::error::Error;

use facemark::{Image, Options, Tracker};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name a photo")?;
    let photo = image::open(&path)?.into_rgb8();
    let (width, height) = (photo.width() as usize, photo.height() as usize);

    // In photos faces are often small, and time hardly matters.
    let mut tracker = Tracker::new(Options { small_faces: true, max_faces: 100, ..Options::default() })?;
    let faces = tracker.still(&Image::rgb(width, height, photo.as_raw())?)?;

    println!("{path} has {} faces", faces.len());
    for face in faces {
        println!("face {}, {:.0} % certain", face.id, 100.0 * face.score);
        for (i, point) in face.landmarks.iter().enumerate() {
            println!("{i} {:.1} {:.1}", point.x, point.y);
        }
    }
    Ok(())
}
