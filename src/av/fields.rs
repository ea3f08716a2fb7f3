//! Whether a video is interlaced, and which field comes first.

use ffmpeg_next::codec::Id;
use ffmpeg_next::ffi::AVFieldOrder;
use ffmpeg_next::format::stream::Stream;
use ffmpeg_next::frame::Video;

use crate::frame::Fields;

/// What a decoded picture says of itself.
pub(crate) fn marked(raw: &Video, codec: Id) -> Fields {
    // HEVC codes each field as a picture of its own, with half the rows, which has no combs.
    match (raw.is_interlaced() && codec != Id::HEVC, raw.is_top_first()) {
        (false, _) => Fields::Progressive,
        (true, true) => Fields::TopFirst,
        (true, false) => Fields::BottomFirst,
    }
}

/// What the container or the first pictures say of the whole stream.
pub(crate) fn stated(stream: &Stream) -> Fields {
    if stream.parameters().id() == Id::HEVC {
        return Fields::Progressive;
    }
    // SAFETY: the parameters belong to the open input.
    match unsafe { (*stream.parameters().as_ptr()).field_order } {
        // The second letter names the field that is shown first.
        AVFieldOrder::AV_FIELD_TT | AVFieldOrder::AV_FIELD_BT => Fields::TopFirst,
        AVFieldOrder::AV_FIELD_BB | AVFieldOrder::AV_FIELD_TB => Fields::BottomFirst,
        _ => Fields::Progressive,
    }
}
