//! Failures by chance: whether a cell fails, and how, follows from its identity and a seed, so that a test knows it too.

use clmbench_protocol::FailureKind;

/// How a cell fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// The plugin returns an error.
    Error,
    /// The plugin panics, and the guard catches it.
    Panic,
    /// A value is not a number.
    NonFinite,
    /// A tensor of another shape.
    WrongShape,
    /// The worker aborts.
    Abort,
    /// The worker dies by a memory fault.
    Segfault,
    /// The worker ends.
    Die,
    /// A line that is no message.
    Garbage,
    /// The result of another kind of cell.
    WrongKind,
    /// A file is reported that is not there.
    MissingFile,
    /// 1 GiB of memory; few do, because it takes long.
    Memory,
    /// No end; fewer still.
    Hang,
}

impl Way {
    /// Ways that cost little.
    const QUICK: [Self; 10] = [
        Self::Error,
        Self::Panic,
        Self::NonFinite,
        Self::WrongShape,
        Self::Abort,
        Self::Segfault,
        Self::Die,
        Self::Garbage,
        Self::WrongKind,
        Self::MissingFile,
    ];

    /// How the cell of this identity fails, if it does; `permille` of 1,000 do.
    pub fn of(identity: &str, permille: u64, seed: u64) -> Option<Self> {
        let hash = blake3::hash(format!("{seed} {identity}").as_bytes());
        let number = |at: usize| hash.as_bytes()[at..at + 4].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        (number(0) % 1_000 < permille).then(|| match number(4) % 200 {
            0 => Self::Hang,
            1..=3 => Self::Memory,
            _ => Self::QUICK[number(8) as usize % Self::QUICK.len()],
        })
    }

    /// The typed reason that the host must give.
    pub fn kind(self) -> FailureKind {
        match self {
            Self::Error => FailureKind::PluginError,
            Self::Panic => FailureKind::Panic,
            Self::NonFinite => FailureKind::NonFinite,
            Self::WrongShape => FailureKind::WrongShape,
            Self::Abort => FailureKind::Abort,
            Self::Segfault => FailureKind::Segfault,
            Self::Die => FailureKind::Died,
            Self::Garbage | Self::WrongKind => FailureKind::Protocol,
            Self::MissingFile => FailureKind::Io,
            Self::Memory => FailureKind::MemoryLimit,
            Self::Hang => FailureKind::TimeLimit,
        }
    }
}
