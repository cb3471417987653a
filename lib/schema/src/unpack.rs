//! Decompression of payloads, bounded.

use std::io::Read;

use flate2::bufread::{GzDecoder, ZlibDecoder};

/// How a payload was packed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all: use it as it is.
    None,
    /// The unpacked bytes are in the buffer.
    Unpacked,
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What `zlib.decompress(data, 47)` takes, as StreamAlert reads Kinesis records: gzip or zlib, the first member.
///
/// # Errors
/// Why it begins like compressed data but is none, or that it is over the limit.
pub(crate) fn unpack_record(data: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<Packing, String> {
    if data.starts_with(&GZIP_MAGIC) {
        return read(GzDecoder::new(data), "gzip", bytes_max, out);
    }
    // The header of zlib: method 8, window up to 2^7, and a multiple of 31 together.
    let is_zlib = matches!(data, [first, second, ..] if first & 15 == 8 && first >> 4 <= 7
        && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0);
    if !is_zlib {
        return Ok(Packing::None);
    }
    match read(ZlibDecoder::new(data), "zlib", bytes_max, out) {
        // Plain text, too, may begin with the two bytes that zlib does.
        Err(reason) if !reason.contains("limit") => Ok(Packing::None),
        other => other,
    }
}

/// What Python's `gzip` takes, as StreamAlert reads S3 objects: all members, zeros after them ignored.
///
/// # Errors
/// Why it begins like gzip but is none, or that it is over the limit.
pub(crate) fn unpack_object(data: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<Packing, String> {
    if !data.starts_with(&GZIP_MAGIC) {
        return Ok(Packing::None);
    }
    out.clear();
    let mut rest = data;
    while rest.starts_with(&GZIP_MAGIC) {
        let mut decoder = GzDecoder::new(rest);
        append(&mut decoder, "gzip", bytes_max, out)?;
        rest = decoder.into_inner();
    }
    if rest.iter().any(|byte| *byte != 0) {
        return Err(format!("gzip: {} bytes after the last member", rest.len()));
    }
    Ok(Packing::Unpacked)
}

fn read(mut decoder: impl Read, name: &str, bytes_max: usize, out: &mut Vec<u8>) -> Result<Packing, String> {
    out.clear();
    append(&mut decoder, name, bytes_max, out)?;
    Ok(Packing::Unpacked)
}

fn append(decoder: &mut impl Read, name: &str, bytes_max: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let room = bytes_max.saturating_sub(out.len()) as u64;
    let read = decoder.by_ref().take(room + 1).read_to_end(out);
    read.map_err(|error| format!("{name}: {error} after {} bytes", out.len()))?;
    if out.len() > bytes_max {
        out.clear();
        return Err(format!(
            "{name}: unpacks to more than the limit of {bytes_max} bytes"
        ));
    }
    Ok(())
}
