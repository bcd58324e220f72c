//! The header of a safetensors file: which tensors it holds, of which shape, and where. Strict; reads the header only.
//!
//! Layout: 8 bytes length N of the header (little endian), N bytes of JSON `{"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...,
//! "__metadata__": {text: text}}`, then the data. Offsets count from the begin of the data, and the tensors cover it without hole or overlap.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

use crate::error::{CheckpointError, shown};

/// Longest header, in bytes; that of the reference reader.
pub const LONGEST: u64 = 100_000_000;
/// Most tensors of a file. Published models have some thousands.
pub const MOST_TENSORS: usize = 200_000;
/// Longest name of a tensor, in bytes.
pub const LONGEST_NAME: usize = 1_024;
/// Most dimensions of a tensor.
pub const MOST_DIMENSIONS: usize = 16;

/// A number format of safetensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // their names say it
pub enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    F8E4m3,
    F8E5m2,
    F8E8m0,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    C64,
}

const DTYPES: [(&str, Dtype, u64); 17] = [
    ("F64", Dtype::F64, 8),
    ("F32", Dtype::F32, 4),
    ("F16", Dtype::F16, 2),
    ("BF16", Dtype::Bf16, 2),
    ("F8_E4M3", Dtype::F8E4m3, 1),
    ("F8_E5M2", Dtype::F8E5m2, 1),
    ("F8_E8M0", Dtype::F8E8m0, 1),
    ("I64", Dtype::I64, 8),
    ("I32", Dtype::I32, 4),
    ("I16", Dtype::I16, 2),
    ("I8", Dtype::I8, 1),
    ("U64", Dtype::U64, 8),
    ("U32", Dtype::U32, 4),
    ("U16", Dtype::U16, 2),
    ("U8", Dtype::U8, 1),
    ("BOOL", Dtype::Bool, 1),
    ("C64", Dtype::C64, 8),
];

impl Dtype {
    fn row(self) -> &'static (&'static str, Dtype, u64) {
        &DTYPES[self as usize]
    }

    /// Its name in files, such as `BF16`.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Bytes of one value.
    pub fn bytes(self) -> u64 {
        self.row().2
    }

    /// Whether [`crate::read_tensor`] reads it.
    pub fn is_read(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16)
    }

    fn of(name: &str) -> Option<Self> {
        DTYPES.iter().find(|row| row.0 == name).map(|row| row.1)
    }
}

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the file.
    pub name: String,
    /// Number format.
    pub dtype: Dtype,
    /// Shape; empty for a single number.
    pub shape: Vec<u64>,
    /// First byte, and the byte behind the last, in the file (not in its data).
    pub offsets: (u64, u64),
    /// The file.
    pub file: PathBuf,
}

impl TensorInfo {
    /// Number of values.
    pub fn elements(&self) -> u64 {
        (self.offsets.1 - self.offsets.0) / self.dtype.bytes()
    }
}

/// Tensors of a safetensors file, sorted by name.
///
/// # Errors
/// [`CheckpointError::Header`] for a length beyond the file or [`LONGEST`], text that is no such JSON, names that stand twice, unknown number
/// formats, sizes that do not agree with shapes, offsets that overlap, leave holes or lie beyond the data, and bytes that no tensor
/// has; [`CheckpointError::Io`] if the file cannot be read.
pub fn header(path: &Path) -> Result<Vec<TensorInfo>, CheckpointError> {
    let name = path.file_name().map_or_else(|| "model.safetensors".into(), |name| shown(&name.to_string_lossy()));
    header_of(path, &name)
}

/// The same for a file that has another name where it lies.
pub(crate) fn header_of(path: &Path, name: &str) -> Result<Vec<TensorInfo>, CheckpointError> {
    let mut file = File::open(path).map_err(CheckpointError::io("open", path))?;
    let size = file.metadata().map_err(CheckpointError::io("read", path))?.len();
    let (json, data) = text(&mut file, size, name).map_err(|error| match error {
        Wrong::Io(source) => CheckpointError::io("read", path)(source),
        Wrong::Header(what) => CheckpointError::header(name, what),
    })?;
    let tensors = parse(&json, data, size - data, path).map_err(|what| CheckpointError::header(name, what))?;
    Ok(tensors)
}

enum Wrong {
    Io(std::io::Error),
    Header(String),
}

/// Text of the header and the begin of the data.
fn text(file: &mut impl Read, size: u64, name: &str) -> Result<(Vec<u8>, u64), Wrong> {
    if size == 0 {
        return Err(Wrong::Header("it is empty".into()));
    }
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => Wrong::Header(format!("it has {size} bytes, and its header alone begins with 8")),
        _ => Wrong::Io(error),
    })?;
    let length = u64::from_le_bytes(length);
    if &length.to_le_bytes()[..] == b"version " {
        return Err(Wrong::Header("it is the pointer of a git-lfs file, not the file; `git lfs pull` gets the file".into()));
    }
    if length > size - 8 {
        return Err(Wrong::Header(format!("its header claims {length} bytes, but only {} follow in `{name}`", size - 8)));
    }
    if length > LONGEST {
        return Err(Wrong::Header(format!("its header has {length} bytes, more than the {LONGEST} that are read")));
    }
    let mut json = Vec::new();
    file.take(length).read_to_end(&mut json).map_err(Wrong::Io)?;
    if json.len() as u64 != length {
        return Err(Wrong::Header("it became shorter while it was read".into()));
    }
    Ok((json, 8 + length))
}

/// A tensor as the header tells it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    dtype: String,
    #[serde(deserialize_with = "dimensions")]
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// A shape with an end.
fn dimensions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    struct Dimensions;
    impl<'de> Visitor<'de> for Dimensions {
        type Value = Vec<u64>;

        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            write!(formatter, "a list of at most {MOST_DIMENSIONS} sizes")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u64>, A::Error> {
            let mut shape = Vec::new();
            while let Some(size) = items.next_element()? {
                if shape.len() == MOST_DIMENSIONS {
                    return Err(de::Error::invalid_length(shape.len() + 1, &self));
                }
                shape.push(size);
            }
            Ok(shape)
        }
    }
    deserializer.deserialize_seq(Dimensions)
}

/// All tensors as told, in the order of the text; a name that stands twice is an error.
struct Entries(Vec<(String, Told)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let (mut entries, mut names) = (Vec::new(), HashSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if name.len() > LONGEST_NAME {
                        return Err(de::Error::custom(format!("a name has {} bytes, more than {LONGEST_NAME}", name.len())));
                    }
                    if !names.insert(name.clone()) {
                        return Err(de::Error::custom(format!("the name `{}` stands twice", shown(&name))));
                    }
                    if name == "__metadata__" {
                        map.next_value::<HashMap<String, String>>()?;
                        continue;
                    }
                    if entries.len() == MOST_TENSORS {
                        return Err(de::Error::custom(format!("more than {MOST_TENSORS} tensors")));
                    }
                    let told =
                        map.next_value().map_err(|error| de::Error::custom(format!("tensor `{}`: {error}", shown(&name))))?;
                    entries.push((name, told));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Judges the text of a header against the bytes of the data that are there.
fn parse(json: &[u8], data: u64, bytes: u64, path: &Path) -> Result<Vec<TensorInfo>, String> {
    let json =
        std::str::from_utf8(json).map_err(|error| format!("its header is not UTF-8 at byte {}", 8 + error.valid_up_to()))?;
    let Entries(entries) = serde_json::from_str(json).map_err(|error| format!("its header: {}", shown(&error.to_string())))?;
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, told) in entries {
        let said = shown(&name);
        let dtype = Dtype::of(&told.dtype)
            .ok_or_else(|| format!("tensor `{said}` has the number format `{}`, which is unknown", shown(&told.dtype)))?;
        let elements = told.shape.iter().try_fold(1_u64, |product, size| product.checked_mul(*size));
        let needed = elements
            .and_then(|elements| elements.checked_mul(dtype.bytes()))
            .ok_or_else(|| format!("tensor `{said}` has the shape {:?}, more values than can be counted", told.shape))?;
        let (begin, end) = told.data_offsets;
        let has = end.checked_sub(begin).ok_or_else(|| format!("tensor `{said}` ends at {end}, before it begins at {begin}"))?;
        if has != needed {
            return Err(format!(
                "tensor `{said}` of shape {:?} in {} needs {needed} bytes, and has {has}",
                told.shape,
                dtype.name()
            ));
        }
        if end > bytes {
            return Err(format!("tensor `{said}` ends at byte {end} of the data, of which there are {bytes}"));
        }
        tensors.push(TensorInfo { name, dtype, shape: told.shape, offsets: (data + begin, data + end), file: path.to_owned() });
    }
    tensors.sort_by(|a, b| (a.offsets, &a.name).cmp(&(b.offsets, &b.name)));
    let mut reached = data;
    let mut before = None;
    for tensor in &tensors {
        let said = shown(&tensor.name);
        if tensor.offsets.0 < reached {
            let before: String = before.map_or_else(String::new, |name: &String| shown(name));
            return Err(format!("tensors `{before}` and `{said}` overlap"));
        }
        if tensor.offsets.0 > reached {
            return Err(format!("{} bytes before tensor `{said}` belong to none", tensor.offsets.0 - reached));
        }
        reached = tensor.offsets.1;
        before = Some(&tensor.name);
    }
    if reached != data + bytes {
        return Err(format!("{} bytes behind the last tensor belong to none", data + bytes - reached));
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

#[cfg(test)]
mod tests;
