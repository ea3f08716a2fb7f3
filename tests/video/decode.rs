//! What comes out of a video file.

use std::fs;

use facemark_cli::error::Fault;
use facemark_cli::frame::{ColorTags, Stage};
use facemark_cli::source::Source;
use facemark_cli::source::folder::Folder;
use facemark_cli::source::images::ImagesSource;
use facemark_cli::source::video::VideoSource;

use crate::support::{Bench, assert_times, bytes, decode, difference, frames, set_matrix, times};

#[test]
fn planes_and_times_are_those_of_the_file() {
    let bench = Bench::new();
    let file = bench.video("-c:v libx264 -pix_fmt yuv420p", "a.mp4");
    let frames = decode(&file);
    let decoded: Vec<u8> = frames.iter().flat_map(bytes).collect();
    assert!(decoded == bench.raw("-i a.mp4"), "some sample differs from ffmpeg's");
    let seconds: Vec<f64> = frames.iter().map(|frame| frame.time.seconds()).collect();
    assert_times(&seconds, &times(&file, "v"), 1e-6);
    assert!(frames.iter().enumerate().all(|(i, frame)| frame.index == i as u64));
    assert!(frames.iter().all(|frame| frame.timing.get(Stage::Decode).is_some()));
}

#[test]
fn one_thread_and_four_give_the_same() {
    let bench = Bench::new();
    let file = bench.video("-c:v libx264 -pix_fmt yuv420p", "a.mp4");
    let [one, four] = [1, 4].map(|threads| {
        let (frames, end) = frames(&mut VideoSource::open(&file, threads).unwrap());
        end.unwrap();
        frames.iter().map(|frame| (frame.time, bytes(frame))).collect::<Vec<_>>()
    });
    assert!(one == four);
}

#[test]
fn the_header_is_told() {
    let bench = Bench::new();
    let file = bench.video("-vf setsar=2/1 -c:v libx264 -pix_fmt yuv420p", "a.mp4");
    let source = VideoSource::open(&file, 0).unwrap();
    let info = source.info();
    assert_eq!((info.size, info.frames, info.frame_rate), ((160, 120), Some(60), Some((30, 1))));
    assert_eq!((info.pixel_aspect, info.stills, info.file(59)), (Some((2, 1)), false, file.as_path()));
}

#[test]
fn pictures_are_turned_upright() {
    let bench = Bench::new();
    let file = bench.video("-frames:v 5 -vf setsar=2/1 -c:v libx264 -pix_fmt yuv420p", "a.mp4");
    let cases = [
        ([0, 1, -1, 0], "transpose=clock"),
        ([-1, 0, 0, -1], "hflip,vflip"),
        ([0, -1, 1, 0], "transpose=cclock"),
        ([-1, 0, 0, 1], "hflip"),
        ([0, 1, 1, 0], "transpose=cclock_flip"),
    ];
    for (matrix, filter) in cases {
        set_matrix(&file, matrix);
        let decoded: Vec<u8> = decode(&file).iter().flat_map(bytes).collect();
        let turned = bench.raw(&format!("-noautorotate -i a.mp4 -vf {filter}"));
        assert!(decoded == turned, "{matrix:?} is not {filter}");
        if filter != "transpose=cclock_flip" {
            // ffmpeg's own rotation changed direction for transposed pictures between versions.
            assert!(decoded == bench.raw("-i a.mp4"), "{matrix:?}: ffmpeg itself turns it another way");
        }
        let source = VideoSource::open(&file, 0).unwrap();
        let (size, aspect) = (source.info().size, source.info().pixel_aspect);
        let expected = if matrix[0] == 0 { ((120, 160), (1, 2)) } else { ((160, 120), (2, 1)) };
        assert_eq!((size, aspect), (expected.0, Some(expected.1)), "{matrix:?}");
    }
}

#[test]
fn all_pixel_formats_become_8_bit_planes() {
    let bench = Bench::new();
    // Format, its range, the largest mean difference from ffmpeg's own conversion.
    let cases = [
        ("yuv420p10le", false, 0.6),
        ("yuv422p", false, 0.6),
        ("yuv444p", false, 0.6),
        ("yuv444p12le", false, 0.8),
        ("yuva420p", false, 0.0),
        ("gray", true, 0.0),
        ("gray16le", true, 0.6),
        ("yuvj420p", true, 0.0),
        ("yuvj444p", true, 0.6),
    ];
    for (format, full_range, tolerance) in cases {
        let name = format!("{format}.mkv");
        // FFV1 has no formats of its own for full range.
        let codec = if format.starts_with("yuvj") { "mjpeg -q:v 2" } else { "ffv1" };
        let file = bench.video(&format!("-frames:v 3 -c:v {codec} -pix_fmt {format}"), &name);
        let frames = decode(&file);
        assert_eq!(frames[0].image.color.full_range, full_range, "{format}");
        let decoded: Vec<u8> = frames.iter().flat_map(bytes).collect();
        // To the "j" format for full range, so that ffmpeg keeps the sample values as we do.
        let target = if full_range { "yuvj420p" } else { "yuv420p" };
        let found = difference(&decoded, &bench.raw(&format!("-i {name} -pix_fmt {target}")));
        assert!(found <= tolerance, "{format}: mean difference {found}");
    }
}

#[test]
fn rgb_becomes_limited_range_and_says_its_matrix() {
    let bench = Bench::new();
    let file = bench.video("-frames:v 3 -c:v ffv1 -pix_fmt bgr0", "rgb.mkv");
    let frames = decode(&file);
    assert_eq!((frames[0].image.color.full_range, frames[0].image.color.matrix), (false, 6));
    let decoded: Vec<u8> = frames.iter().flat_map(bytes).collect();
    let reference = bench.raw("-i rgb.mkv -vf scale=out_color_matrix=bt601:out_range=tv -pix_fmt yuv420p");
    let found = difference(&decoded, &reference);
    assert!(found < 1.0, "mean difference {found}");
}

#[test]
fn a_cut_off_file_gives_what_it_has_and_says_so() {
    let bench = Bench::new();
    let whole = fs::read(bench.movie("whole.mkv")).unwrap();
    bench.ffmpeg("-i whole.mkv -c copy -movflags +faststart whole.mp4");
    let mp4 = fs::read(bench.path("whole.mp4")).unwrap();
    for (name, bytes) in [("cut.mkv", whole), ("cut.mp4", mp4)] {
        let cut = bench.path(name);
        fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
        let (frames, end) = frames(&mut VideoSource::open(&cut, 0).unwrap());
        let error = end.unwrap_err();
        assert_eq!(Fault::of(&error), Fault::EndedEarly, "{name}: {error:#}");
        assert!((10..50).contains(&frames.len()), "{name}: {} frames", frames.len());
        assert!(error.to_string().contains(name), "{error:#}");
    }
}

#[test]
fn damage_in_the_middle_is_told_and_what_is_readable_comes() {
    let bench = Bench::new();
    let file = bench.video("-g 10 -c:v libx264 -pix_fmt yuv420p", "a.mp4");
    let mut bytes = fs::read(&file).unwrap();
    // The pictures come first in the file, the index last.
    let middle = bytes.len() * 4 / 10..bytes.len() * 6 / 10;
    bytes[middle].iter_mut().step_by(37).for_each(|byte| *byte ^= 0x5a);
    fs::write(&file, bytes).unwrap();
    let (frames, end) = frames(&mut VideoSource::open(&file, 0).unwrap());
    let error = end.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::EndedEarly, "{error:#}");
    assert!((20..=60).contains(&frames.len()), "{} frames", frames.len());
    assert!(frames.windows(2).all(|pair| pair[0].time.ticks < pair[1].time.ticks), "times must rise");
}

#[test]
fn a_change_of_size_ends_the_video_with_a_reason() {
    let bench = Bench::new();
    bench.video("-c:v mpeg2video -f mpegts", "large.ts");
    bench.ffmpeg("-f lavfi -i testsrc2=size=96x64:rate=30:duration=1 -c:v mpeg2video -f mpegts small.ts");
    let [large, small] = ["large.ts", "small.ts"].map(|name| fs::read(bench.path(name)).unwrap());
    fs::write(bench.path("both.ts"), [large, small].concat()).unwrap();
    let (frames, end) = frames(&mut VideoSource::open(&bench.path("both.ts"), 0).unwrap());
    let error = end.unwrap_err();
    assert_eq!(Fault::of(&error), Fault::EndedEarly);
    assert!(error.to_string().contains("160×120 to 96×64"), "{error:#}");
    assert!(frames.len() >= 58 && frames.iter().all(|frame| frame.image.size() == (160, 120)));
}

#[test]
fn names_that_are_not_unicode_or_look_like_options_are_fine() {
    let bench = Bench::new();
    let file = bench.movie("a.mp4");
    for name in ["-dash.mp4", "sp ace 'q' ünï.mp4", "%d.mp4", "http:x.mp4"] {
        let odd = bench.path(name);
        fs::copy(&file, &odd).unwrap();
        assert_eq!(decode(&odd).len(), 60, "{name}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let odd = bench.path("x").with_file_name(std::ffi::OsStr::from_bytes(b"bad\xff\xfe.mp4"));
        fs::copy(&file, &odd).unwrap();
        assert_eq!(decode(&odd).len(), 60);
    }
}

#[test]
fn pictures_come_one_by_one_and_broken_ones_are_remembered() {
    let bench = Bench::new();
    bench.ffmpeg("-f lavfi -i color=red:size=33x21,format=rgb24 -frames:v 1 a.png");
    bench.ffmpeg("-f lavfi -i color=white:size=64x48 -frames:v 1 -q:v 2 c.jpg");
    fs::write(bench.path("b.jpg"), "no picture").unwrap();
    fs::write(bench.path("notes.txt"), "no picture either").unwrap();
    let files = Folder::read(&bench.path("")).unwrap().pictures;
    assert_eq!(files, ["a.png", "b.jpg", "c.jpg"].map(|name| bench.path(name)));
    let mut source = ImagesSource::open(files).unwrap();
    let (frames, end) = frames(&mut source);
    let error = end.unwrap_err();
    assert_eq!(
        (Fault::of(&error), error.to_string().starts_with("1 of 3")),
        (Fault::EndedEarly, true),
        "{error:#}"
    );
    let found: Vec<_> =
        frames.iter().map(|f| (source.info().file(f.index), f.image.size(), f.time.ticks)).collect();
    assert_eq!(found, [(&*bench.path("a.png"), (33, 21), 0), (&*bench.path("c.jpg"), (64, 48), 2)]);
    assert_eq!((frames[0].image.color, source.info().stills), (ColorTags::JPEG, true));
    // Red, with a tolerance of one for the rounding of ffmpeg's own red.
    let sample = [
        frames[0].image.luma.data()[0],
        frames[0].image.chroma[0].data()[0],
        frames[0].image.chroma[1].data()[0],
    ];
    assert!(difference(&sample, &[76, 85, 255]) <= 1.0, "{sample:?}");
    assert!(frames[1].image.luma.data().iter().all(|&luma| luma >= 253));
}

#[test]
fn pictures_are_turned_upright_as_exif_says() {
    let bench = Bench::new();
    bench.ffmpeg(
        "-f lavfi -i color=black:size=32x16,drawbox=w=16:h=16:c=white:t=fill -frames:v 1 -q:v 2 a.jpg",
    );
    let plain = fs::read(bench.path("a.jpg")).unwrap();
    // Orientation 6: the camera was rotated; a quarter turn clockwise makes the picture upright.
    let exif = *b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    fs::write(bench.path("turned.jpg"), [&plain[..2], &exif, &plain[2..]].concat()).unwrap();
    let mut source = ImagesSource::open(vec![bench.path("turned.jpg")]).unwrap();
    assert_eq!(source.info().size, (16, 32));
    let (frames, end) = frames(&mut source);
    end.unwrap();
    let luma = &frames[0].image.luma;
    assert_eq!((luma.width(), luma.height()), (16, 32));
    assert!(luma.data()[8 * 16 + 8] > 200 && luma.data()[24 * 16 + 8] < 50, "white has to be on top");
}
