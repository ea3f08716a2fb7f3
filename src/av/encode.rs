//! The video encoder: H.264 where the system has libx264, otherwise MPEG-4.

use std::collections::VecDeque;
use std::ffi::c_int;

use anyhow::Result;
use facemark::Plane;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{self, Id, threading};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::{Video, side_data};
use ffmpeg_next::{Codec, Dictionary, Packet, Rational, encoder, ffi};

use crate::error::{Blame, Fault};
use crate::frame::{Fields, Frame};
use crate::info::SourceInfo;

/// The CRF: visually close to the source, which the overlay's fine lines need.
const H264_QUALITY: &str = "18";
/// The fastest of x264's presets that keeps its usual compression tools.
const H264_SPEED: &str = "veryfast";
/// More threads gain little, and each holds a picture in memory. The number is the same on every machine, since libx264's
/// output depends on it.
const THREADS: usize = 4;
/// For pictures of more than [`HUGE`] pixels: this preset and fewer threads keep far fewer of them in memory.
const H264_SPEED_HUGE: &str = "ultrafast";
const THREADS_HUGE: usize = 2;
const HUGE: usize = 12_000_000;
/// Quantiser of the MPEG-4 fallback, 1 to 31.
const MPEG4_QUANTISER: c_int = 3;
/// The most ticks per second that MPEG-4 can express.
const MPEG4_MAX_TICKS: i32 = 65_535;
/// Flags of interlaced pictures since FFmpeg 6.1.
const INTERLACED: c_int = 1 << 3;
const TOP_FIRST: c_int = 1 << 4;

/// Encodes pictures into packets that keep the pictures' time stamps.
pub(crate) struct Encoder {
    encoder: encoder::Video,
    picture: Video,
    /// A counter and the time stamps of the pictures in the encoder, if it cannot represent those itself.
    times: Option<(i64, VecDeque<i64>)>,
    base: Rational,
    /// How the last interlaced picture was; `Progressive` if none may be.
    fields: Fields,
    /// Whether pictures can carry captions.
    with_captions: bool,
}

impl Encoder {
    /// Opens the best encoder available on this system.
    pub(crate) fn open(info: &SourceInfo, global_header: bool) -> Result<Self> {
        match encoder::find_by_name("libx264") {
            Some(codec) => Self::open_codec(codec, info, global_header),
            None => {
                log::warn!(
                    "this system's libav has no libx264; the output becomes larger MPEG-4 instead of H.264"
                );
                let codec = encoder::find(Id::MPEG4).ok_or_else(|| {
                    Fault::Output.error("this system's libav has neither libx264 nor MPEG-4")
                })?;
                Self::open_codec(codec, info, global_header)
            }
        }
    }

    fn open_codec(codec: Codec, info: &SourceInfo, global_header: bool) -> Result<Self> {
        let counted = codec.id() == Id::MPEG4;
        let (width, height) = even(info.size)?;
        let is_huge = info.size.0 * info.size.1 > HUGE;
        let base = Rational(info.time_base.0, info.time_base.1);
        let rate = info.frame_rate.map(|(n, d)| Rational(n, d));
        let mut encoder = codec::Context::new_with_codec(codec).encoder().video()?;
        encoder.set_width(width);
        encoder.set_height(height);
        encoder.set_format(Pixel::YUV420P);
        encoder.set_frame_rate(rate);
        encoder.set_time_base(if counted { mpeg4_base(rate) } else { base });
        let mut flags = if global_header { codec::Flags::GLOBAL_HEADER } else { codec::Flags::empty() };
        let mut options = Dictionary::new();
        if counted {
            flags |= codec::Flags::QSCALE;
            encoder.set_global_quality(MPEG4_QUANTISER * ffi::FF_QP2LAMBDA);
        } else {
            options.set("preset", if is_huge { H264_SPEED_HUGE } else { H264_SPEED });
            options.set("crf", H264_QUALITY);
            if let Some(params) = x264_params(info.fields) {
                options.set("x264-params", params);
            }
        }
        if info.fields != Fields::Progressive {
            flags |= codec::Flags::INTERLACED_DCT | codec::Flags::INTERLACED_ME;
        }
        encoder.set_flags(flags);
        encoder.set_threading(threading::Config::count(if is_huge { THREADS_HUGE } else { THREADS }));
        tag(&mut encoder, info);
        let encoder = encoder.open_with(options).blame(Fault::Output, || {
            let name = codec.name();
            format!("cannot start the {name} encoder for {width}×{height} pictures")
        })?;
        let times = counted.then(Default::default);
        let picture = Video::new(Pixel::YUV420P, width, height);
        Ok(Self { encoder, picture, times, base, fields: info.fields, with_captions: !counted })
    }

    /// Sends a picture to be shown at `ticks`.
    pub(crate) fn send(&mut self, frame: &Frame, ticks: i64) -> Result<()> {
        let image = &frame.image;
        // SAFETY: the picture is ours. This gives it a new buffer if the encoder still reads the old one.
        let status = unsafe { ffi::av_frame_make_writable(self.picture.as_mut_ptr()) };
        if status < 0 {
            return Err(ffmpeg::Error::from(status)).blame(Fault::Failure, || "no memory for a picture");
        }
        for (index, plane) in [&image.luma, &image.chroma[0], &image.chroma[1]].into_iter().enumerate() {
            let (stride, rows) = (self.picture.stride(index), self.picture.plane_height(index) as usize);
            let width = self.picture.plane_width(index) as usize;
            copy_padded(plane, self.picture.data_mut(index), stride, (width, rows));
        }
        let time = match &mut self.times {
            None => ticks,
            Some((count, times)) => {
                times.push_back(ticks);
                *count += 1;
                *count - 1
            }
        };
        self.picture.set_pts(Some(time));
        self.mark_fields(frame.fields);
        self.attach(&frame.captions)?;
        self.encoder.send_frame(&self.picture).blame(Fault::Failure, || "the encoder refuses a picture")
    }

    /// Says which of the picture's fields comes first. In an interlaced video whole pictures count as their neighbours do.
    fn mark_fields(&mut self, fields: Fields) {
        if self.fields == Fields::Progressive {
            return;
        }
        if fields != Fields::Progressive {
            self.fields = fields;
        }
        let top_first = self.fields == Fields::TopFirst;
        // SAFETY: the picture is ours.
        unsafe {
            let picture = self.picture.as_mut_ptr();
            (*picture).flags &= !(INTERLACED | TOP_FIRST);
            (*picture).flags |= INTERLACED | if top_first { TOP_FIRST } else { 0 };
            #[cfg(not(only_flags))]
            {
                ((*picture).interlaced_frame, (*picture).top_field_first) = (1, top_first.into());
            }
        }
    }

    /// Gives the picture its captions, for the encoder to write into the stream.
    fn attach(&mut self, captions: &[u8]) -> Result<()> {
        self.picture.remove_side_data(side_data::Type::A53CC);
        if captions.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.with_captions, true) {
            log::warn!("the closed captions in the pictures are left out: only H.264 is written with them");
        }
        let data = self.picture.new_side_data(side_data::Type::A53CC, captions.len());
        if data.is_none() {
            return Err(Fault::Failure.error("no memory for captions"));
        }
        // SAFETY: the new side data has as many bytes as were asked for, and is not used elsewhere yet.
        unsafe {
            let kind = ffi::AVFrameSideDataType::AV_FRAME_DATA_A53_CC;
            if let Some(data) = ffi::av_frame_get_side_data(self.picture.as_ptr(), kind).as_ref() {
                std::ptr::copy_nonoverlapping(captions.as_ptr(), data.data, captions.len());
            }
        }
        Ok(())
    }

    /// Signals that no more pictures follow.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.encoder.send_eof().blame(Fault::Failure, || "cannot empty the encoder")
    }

    /// The next finished packet, with time stamps in ticks of the source.
    pub(crate) fn receive(&mut self) -> Result<Option<Packet>> {
        let mut packet = Packet::empty();
        match self.encoder.receive_packet(&mut packet) {
            Ok(()) => {
                if let Some(time) = self.times.as_mut().and_then(|(_, times)| times.pop_front()) {
                    packet.set_pts(Some(time));
                    packet.set_dts(Some(time));
                    packet.set_duration(0);
                }
                Ok(Some(packet))
            }
            Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => Ok(None),
            Err(error) => Err(error).blame(Fault::Failure, || "the encoder failed"),
        }
    }

    /// The time base of the packets.
    pub(crate) fn base(&self) -> Rational {
        self.base
    }

    /// The codec parameters for the muxer.
    pub(crate) fn context(&self) -> &codec::Context {
        &self.encoder
    }
}

/// The size rounded up to even numbers, which 4:2:0 pictures in H.264 need.
fn even((width, height): (usize, usize)) -> Result<(u32, u32)> {
    let up = |side: usize| u32::try_from(side.next_multiple_of(2)).ok().filter(|&side| side > 0);
    up(width)
        .zip(up(height))
        .ok_or_else(|| Fault::Output.error(format!("no video can have {width}×{height} pixels")))
}

/// Settings of libx264 that libavcodec has no name for.
fn x264_params(fields: Fields) -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let has_avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let has_avx512 = false;
    // The default is the other order, until the second picture.
    match (fields == Fields::BottomFirst, has_avx512) {
        (false, false) => None,
        (true, false) => Some("bff=1"),
        // With AVX-512, libx264 (r3095 and r3108) reads memory that it never wrote unless the number of blocks of 16×16
        // pixels in a picture is a multiple of 16. Now and then the last block changes. With AVX2 it writes what it
        // writes on machines without AVX-512, and is no slower.
        (false, true) => Some("asm=avx2"),
        (true, true) => Some("bff=1:asm=avx2"),
    }
}

/// MPEG-4 pictures are only counted, so any time base near the frame rate will do.
fn mpeg4_base(rate: Option<Rational>) -> Rational {
    let rate = rate.unwrap_or(Rational(25, 1));
    rate.reduce_with_limit(MPEG4_MAX_TICKS).unwrap_or_else(|nearest| nearest).invert()
}

/// Sets the colour tags, field order and pixel aspect ratio of the source.
fn tag(encoder: &mut encoder::video::Video, info: &SourceInfo) {
    let range = match (info.color.full_range, info.range_stated) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    let (width, height) = info.pixel_aspect.unwrap_or((0, 1));
    // SAFETY: the context is ours and not open yet. The enums are C ints with the values of H.273, written as ints
    // because our enum may lack a value that the library has.
    unsafe {
        let context = encoder.as_mut_ptr();
        (&raw mut (*context).color_range).cast::<c_int>().write(range);
        (&raw mut (*context).color_primaries).cast::<c_int>().write(info.color.primaries.into());
        (&raw mut (*context).color_trc).cast::<c_int>().write(info.color.transfer.into());
        (&raw mut (*context).colorspace).cast::<c_int>().write(info.color.matrix.into());
        (*context).field_order = match info.fields {
            Fields::Progressive => ffi::AVFieldOrder::AV_FIELD_PROGRESSIVE,
            Fields::TopFirst => ffi::AVFieldOrder::AV_FIELD_TT,
            Fields::BottomFirst => ffi::AVFieldOrder::AV_FIELD_BB,
        };
        (*context).sample_aspect_ratio = ffi::AVRational { num: width, den: height };
    }
}

/// Copies a plane into a larger one and fills the rest by repeating the last column and row.
fn copy_padded(plane: &Plane, out: &mut [u8], stride: usize, (width, rows): (usize, usize)) {
    for y in 0..rows {
        let row = &plane.data()[y.min(plane.height() - 1) * plane.width()..][..plane.width()];
        let out = &mut out[y * stride..][..width];
        let copied = width.min(plane.width());
        out[..copied].copy_from_slice(&row[..copied]);
        out[copied..].fill(row[plane.width() - 1]);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::av::demux;

    #[test]
    fn padding_repeats_the_last_column_and_row() {
        let plane = Plane::new(3, 2, vec![1, 2, 3, 4, 5, 6]).unwrap();
        let mut out = vec![0; 15];
        copy_padded(&plane, &mut out, 5, (4, 3));
        assert_eq!(out, [1, 2, 3, 3, 0, 4, 5, 6, 6, 0, 4, 5, 6, 6, 0]);
    }

    #[test]
    fn the_fallback_keeps_time_stamps_that_mpeg4_could_not_count() {
        demux::init();
        let mut info = SourceInfo::empty(Path::new("x"));
        info.size = (64, 48);
        info.time_base = (1, 90_000);
        info.frame_rate = Some((30_000, 1001));
        let mut encoder = Encoder::open_codec(encoder::find(Id::MPEG4).unwrap(), &info, true).unwrap();
        let mut frame = Frame::empty();
        frame.image.resize(64, 48);
        let times = [-3003, 0, 3003, 100_000, 100_007];
        let mut found = Vec::new();
        for time in times {
            encoder.send(&frame, time).unwrap();
            found.extend(encoder.receive().unwrap().map(|packet| packet.pts().unwrap()));
        }
        encoder.finish().unwrap();
        while let Some(packet) = encoder.receive().unwrap() {
            found.push(packet.pts().unwrap());
        }
        assert_eq!(found, times);
    }
}
