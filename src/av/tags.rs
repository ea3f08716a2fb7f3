//! File metadata: titles, languages, chapters.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use anyhow::Result;
use ffmpeg_next::format::context::{Input, Output};
use ffmpeg_next::format::stream::{Stream, StreamMut};
use ffmpeg_next::{Rational, Rescale as _, ffi};

use super::demux::frame_rate;
use super::reader::MICROSECONDS;
use crate::error::{Blame, Fault};

/// Tags that describe the old file, not its content.
const FILE_TAGS: [&CStr; 4] = [c"encoder", c"major_brand", c"minor_version", c"compatible_brands"];
/// Tags that describe the old encoding of the pictures.
const VIDEO_TAGS: [&CStr; 9] = [
    c"encoder",
    c"rotate",
    c"DURATION",
    c"BPS",
    c"NUMBER_OF_FRAMES",
    c"NUMBER_OF_BYTES",
    c"_STATISTICS_WRITING_APP",
    c"_STATISTICS_WRITING_DATE_UTC",
    c"_STATISTICS_TAGS",
];

const TIMECODE: &CStr = c"timecode";

/// Copies a stream's metadata: language, title, default or forced, pixel aspect. `recoded` if it is re-encoded.
pub(crate) fn describe(out: &mut StreamMut, stream: &Stream, recoded: bool) {
    out.set_avg_frame_rate(frame_rate(stream).unwrap_or(Rational(0, 1)));
    // The pixel aspect of the re-encoded stream may differ, if the pictures were turned.
    // SAFETY: both streams belong to open contexts; the dictionary of the output is its own copy.
    unsafe {
        let (from, to) = (stream.as_ptr(), out.as_mut_ptr());
        (*to).disposition = (*from).disposition;
        copy_dictionary((*from).metadata, &mut (*to).metadata, if recoded { &VIDEO_TAGS } else { &[] });
        if !recoded {
            (*to).sample_aspect_ratio = (*from).sample_aspect_ratio;
        }
    }
}

/// Copies the title and the other tags of the file as a whole.
pub(crate) fn copy_tags(input: &Input, output: &mut Output) {
    // SAFETY: both contexts are open; the dictionary of the output is its own copy.
    unsafe { copy_dictionary((*input.as_ptr()).metadata, &mut (*output.as_mut_ptr()).metadata, &FILE_TAGS) };
}

/// # Safety
/// `from` must be a dictionary or null, and so must what `to` points to.
unsafe fn copy_dictionary(
    from: *const ffi::AVDictionary,
    to: &mut *mut ffi::AVDictionary,
    without: &[&CStr],
) {
    // SAFETY: as promised by the caller. Not through `Dictionary`, which assumes that every tag is UTF-8.
    unsafe {
        ffi::av_dict_copy(to, from, 0);
        for prefix in without {
            // Keys may end with a language, as in BPS-eng.
            while let Some(entry) =
                ffi::av_dict_get(*to, prefix.as_ptr(), null(), ffi::AV_DICT_IGNORE_SUFFIX).as_ref()
            {
                let key = CStr::from_ptr(entry.key).to_owned();
                ffi::av_dict_set(to, key.as_ptr(), null(), 0);
            }
        }
    }
}

/// The time code with which a stream begins.
pub(crate) fn timecode(stream: &Stream) -> Option<String> {
    // SAFETY: the stream belongs to an open context; the entry is read while its dictionary is alive.
    unsafe {
        let entry = ffi::av_dict_get((*stream.as_ptr()).metadata, TIMECODE.as_ptr(), null(), 0).as_ref()?;
        Some(CStr::from_ptr(entry.value).to_string_lossy().into_owned())
    }
}

/// Makes the time code of an output stream, if it has one, begin `later` microseconds later.
pub(crate) fn move_timecode(out: &mut StreamMut, later: i64) {
    let rate = out.avg_frame_rate();
    let Some(code) = timecode(out).and_then(|code| CString::new(code).ok()).filter(|_| later > 0) else {
        return;
    };
    let frames = later.rescale(MICROSECONDS, rate.invert());
    let mut text = [0; ffi::AV_TIMECODE_STR_SIZE as usize];
    // SAFETY: the structure is filled in before it is used, the buffer has the size that is asked for, and the
    // dictionary belongs to the open output.
    unsafe {
        let mut time = MaybeUninit::<ffi::AVTimecode>::zeroed();
        let parsed =
            ffi::av_timecode_init_from_string(time.as_mut_ptr(), rate.into(), code.as_ptr(), null_mut());
        if parsed == 0 {
            let frames = i32::try_from(frames).unwrap_or(0);
            ffi::av_timecode_make_string(time.as_ptr(), text.as_mut_ptr(), frames);
            ffi::av_dict_set(&mut (*out.as_mut_ptr()).metadata, TIMECODE.as_ptr(), text.as_ptr(), 0);
        }
    }
}

/// Where a Matroska stream ends according to its tags, in microseconds: `DURATION` is `HH:MM:SS.fraction`.
pub(crate) fn end(stream: &Stream) -> Option<i64> {
    let tags = stream.metadata();
    let mut parts = tags.get("DURATION")?.trim().splitn(3, ':');
    let (hours, minutes) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?);
    let seconds: f64 = parts.next()?.parse().ok()?;
    Some(((f64::from(hours) * 3600.0 + f64::from(minutes) * 60.0 + seconds) * 1e6).round() as i64)
}

/// Copies the chapters with their titles. `origin` is the input's time at which the output begins, and `end` the
/// output's time at which it ends, in microseconds.
pub(crate) fn copy_chapters(input: &Input, output: &mut Output, origin: i64, end: Option<i64>) -> Result<()> {
    for (id, chapter) in (1..).zip(input.chapters()) {
        let base = chapter.time_base();
        let (origin, last) =
            (origin.rescale(MICROSECONDS, base), end.map(|end| end.rescale(MICROSECONDS, base)));
        let (from, to) = (chapter.start().saturating_sub(origin), chapter.end().saturating_sub(origin));
        if (to <= 0 && origin > 0) || last.is_some_and(|last| from >= last) {
            continue;
        }
        let tags = chapter.metadata();
        let title = tags.get("title").unwrap_or_default();
        let from = if origin > 0 { from.max(0) } else { from };
        let to = last.map_or(to, |last| to.min(last));
        output.add_chapter(id, base, from, to, title).blame(Fault::Output, || "cannot copy the chapters")?;
    }
    Ok(())
}
