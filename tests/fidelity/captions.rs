//! Closed captions in the pictures.

use std::fs;
use std::path::Path;

use crate::fixtures::{Bench, PICTURES};
use crate::program::annotate;
use crate::table::Row;

/// A message that makes H.264 carry CEA-608 captions: ATSC A/53, Part 4 (registered user data, ITU-T T.35).
fn message(pair: [u8; 2]) -> Vec<u8> {
    let parity = |byte: u8| if byte.count_ones().is_multiple_of(2) { byte | 0x80 } else { byte };
    let payload =
        [&[0xb5, 0, 0x31][..], b"GA94", &[3, 0x41, 0xff], &[0xfc, parity(pair[0]), parity(pair[1])], &[0xff]]
            .concat();
    [&[0, 0, 0, 1, 6, 4, payload.len() as u8][..], &payload, &[0x80]].concat()
}

/// A text that pops on, as pairs of bytes: load, clear, place, letters, show.
fn pop_on(text: &str) -> Vec<[u8; 2]> {
    let mut pairs = vec![[0x14, 0x20], [0x14, 0x2e], [0x14, 0x70]];
    pairs.extend(text.as_bytes().chunks(2).map(|two| [two[0], two.get(1).copied().unwrap_or(0)]));
    pairs.push([0x14, 0x2f]);
    pairs
}

/// The video with a message in each picture, of which every one begins with a delimiter.
fn with_captions(video: &[u8], pairs: &[[u8; 2]]) -> Vec<u8> {
    const DELIMITER: [u8; 5] = [0, 0, 0, 1, 9];
    let (mut out, mut pairs) = (Vec::new(), pairs.iter());
    let mut i = 0;
    while i < video.len() {
        if video[i..].starts_with(&DELIMITER) {
            out.extend(&video[i..i + 6]);
            out.extend(message(pairs.next().copied().unwrap_or([0, 0])));
            i += 6;
        } else {
            out.push(video[i]);
            i += 1;
        }
    }
    out
}

/// The captions as a decoder shows them.
fn shown(bench: &Bench, video: &Path) -> String {
    let name = video.file_name().unwrap().to_str().unwrap();
    bench.ffmpeg(&format!("-f lavfi -i movie={name}[out+subcc] -map 0:s shown.srt"));
    fs::read_to_string(bench.path("shown.srt")).unwrap()
}

#[test]
fn captions_stay_in_the_pictures() {
    let mut row = Row::new("closed captions in the pictures (CEA-608)");
    let bench = Bench::new();
    bench.ffmpeg(&format!(
        "-f lavfi -i {PICTURES} -c:v libx264 -bf 0 -x264-params aud=1 -pix_fmt yuv420p bare.h264"
    ));
    let bare = fs::read(bench.path("bare.h264")).unwrap();
    fs::write(bench.path("told.h264"), with_captions(&bare, &pop_on("HELLO THERE"))).unwrap();
    for kind in ["ts", "mkv", "mp4"] {
        bench.ffmpeg(&format!("-r 30 -i told.h264 -c copy told.{kind}"));
        let input = bench.path(&format!("told.{kind}"));
        let said = shown(&bench, &input);
        for out in ["out.mp4", "out.mkv", "out.mov"] {
            let out = bench.path(out);
            let run = annotate(&input, &[("-o", &out)]);
            assert_eq!(run.code, 0, "{run:?}");
            assert_eq!(shown(&bench, &out), said, "{kind}");
            fs::remove_file(out).unwrap();
            row.count();
        }
    }
    row.outcome("a decoder shows the same text at the same times");
}
