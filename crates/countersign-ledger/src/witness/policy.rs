//! Witness policies (c2sp.org/tlog-policy): which logs are believed, and which witnesses have to have cosigned.
//!
//! Names mean something only inside a policy. Stricter than the specification in one point: the file is UTF-8.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{PolicyError, PolicyFault};
use crate::checkpoint::{Checkpoint, CheckpointError, Cosigned};
use crate::line;
use crate::note::{NoteError, SignatureType, SignedBy, VerifierKey};

/// The most logs, witnesses and groups together; the specification asks for 32 of each at least.
pub(super) const MAX_DEFINITIONS: usize = 1000;

/// The name that stands for no witness at all.
const NONE: &str = "none";

/// A trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The logs; any of them is believed. Each key's name is the log's origin.
    pub logs: Vec<Log>,
    /// The witnesses, in the order of the file.
    pub witnesses: Vec<Witness>,
    /// Which of them have to have cosigned.
    pub quorum: Quorum,
}

/// A log that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its key.
    pub key: VerifierKey,
    /// Where it is, if the policy says so.
    pub url: Option<String>,
}

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name in the policy, which need not be the name of its key.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where it is, by recommendation its submission prefix.
    pub url: Option<String>,
}

/// What has to have cosigned a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quorum {
    /// Nothing.
    None,
    /// The witness at this place in [`Policy::witnesses`].
    Witness(usize),
    /// At least so many of the members.
    Group {
        /// How many, at least 1 and at most all.
        threshold: usize,
        /// Whom.
        members: Vec<Quorum>,
    },
}

/// A checkpoint that one of the policy's logs signed and enough of its witnesses cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The policy's names of the witnesses that cosigned, each with its time in POSIX seconds.
    pub witnesses: Vec<(String, u64)>,
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// The first fault, with its line.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut reader = Reader::default();
        let mut last = 0;
        for (number, content) in (1..).zip(text.split('\n')) {
            reader.line(content).map_err(|fault| PolicyError { line: number, fault })?;
            last = number;
        }
        let missing = PolicyError { line: last, fault: PolicyFault::NoQuorum };
        Ok(Self { logs: reader.logs, witnesses: reader.witnesses, quorum: reader.quorum.ok_or(missing)? })
    }

    /// Opens a checkpoint: a listed log whose name is the origin signed it, and the quorum of witnesses cosigned it.
    ///
    /// # Errors
    /// The note does not hold, is of no listed log, or too few witnesses cosigned it ([`NoteError::Unwitnessed`]).
    pub fn open(&self, note: &str) -> Result<Witnessed, CheckpointError> {
        let logs: Vec<VerifierKey> = self.logs.iter().map(|log| log.key.clone()).collect();
        let cosigned = Cosigned::open(note, &logs, &self.witness_keys())?;
        // A log's signature under another log's origin is somebody else's statement.
        if !cosigned.signed_by.iter().any(|by| by.name == cosigned.checkpoint.origin) {
            return Err(NoteError::Unsigned.into());
        }
        if !self.is_met_by(&cosigned.cosigned_by) {
            return Err(NoteError::Unwitnessed.into());
        }
        let time_of = |witness: &Witness| {
            let by = cosigned.cosigned_by.iter().find(|by| by.is(&witness.key))?;
            by.cosigned_at.map(|time| (witness.name.clone(), time))
        };
        let witnesses = self.witnesses.iter().filter_map(time_of).collect();
        Ok(Witnessed { checkpoint: cosigned.checkpoint, witnesses })
    }

    /// The keys of the witnesses, in the order of the file.
    #[must_use]
    pub fn witness_keys(&self) -> Vec<VerifierKey> {
        self.witnesses.iter().map(|witness| witness.key.clone()).collect()
    }

    /// Whether these verified cosignatures are enough.
    #[must_use]
    pub fn is_met_by(&self, cosigned_by: &[SignedBy]) -> bool {
        self.quorum.is_met(&|place| {
            let key = self.witnesses.get(place).map(|witness| &witness.key);
            key.is_some_and(|key| cosigned_by.iter().any(|by| by.cosigned_at.is_some() && by.is(key)))
        })
    }
}

impl Quorum {
    /// Groups name only what was defined before them and nothing is in two groups, so this ends and is linear.
    fn is_met(&self, has_cosigned: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::None => true,
            Self::Witness(place) => has_cosigned(*place),
            Self::Group { threshold, members } => {
                members.iter().filter(|member| member.is_met(has_cosigned)).count() >= *threshold
            }
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    defined: Vec<Definition>,
    quorum: Option<Quorum>,
}

/// A name that later lines may use.
struct Definition {
    name: String,
    means: Quorum,
    is_member: bool,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), PolicyFault> {
        if line.contains(|character: char| character != '\t' && character.is_ascii_control()) {
            return Err(PolicyFault::ControlCharacter);
        }
        let items: Vec<&str> = line.split([' ', '\t']).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", rest @ ..] => self.log(rest),
            ["witness", rest @ ..] => self.witness(rest),
            ["group", rest @ ..] => self.group(rest),
            ["quorum", rest @ ..] => self.quorum(rest),
            [keyword, ..] => Err(PolicyFault::Keyword((*keyword).into())),
        }
    }

    fn log(&mut self, items: &[&str]) -> Result<(), PolicyFault> {
        let (vkey, url) = match items {
            [vkey] => (vkey, None),
            [vkey, url] => (vkey, Some(url.to_string())),
            _ => return Err(PolicyFault::Form("log <vkey> [<url>]")),
        };
        let key = parse_key(vkey, SignatureType::Ed25519)?;
        if self.logs.iter().any(|log| log.key.is_same_key(&key)) {
            return Err(PolicyFault::DuplicateKey);
        }
        if self.logs.len() == MAX_DEFINITIONS {
            return Err(PolicyFault::TooLarge);
        }
        self.logs.push(Log { key, url });
        Ok(())
    }

    fn witness(&mut self, items: &[&str]) -> Result<(), PolicyFault> {
        let (name, vkey, url) = match items {
            [name, vkey] => (name, vkey, None),
            [name, vkey, url] => (name, vkey, Some(url.to_string())),
            _ => return Err(PolicyFault::Form("witness <name> <vkey> [<url>]")),
        };
        let key = parse_key(vkey, SignatureType::CosignatureV1)?;
        if self.witnesses.iter().any(|witness| witness.key.is_same_key(&key)) {
            return Err(PolicyFault::DuplicateKey);
        }
        self.define(name, Quorum::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: (*name).into(), key, url });
        Ok(())
    }

    fn group(&mut self, items: &[&str]) -> Result<(), PolicyFault> {
        let [name, threshold, names @ ..] = items else { return Err(PolicyFault::Form(GROUP_FORM)) };
        if names.is_empty() {
            return Err(PolicyFault::Form(GROUP_FORM));
        }
        let threshold = parse_threshold(threshold, names.len())?;
        let members: Vec<Quorum> = names.iter().map(|name| self.member(name)).collect::<Result<_, _>>()?;
        self.define(name, Quorum::Group { threshold, members })
    }

    fn quorum(&mut self, items: &[&str]) -> Result<(), PolicyFault> {
        let [name] = items else { return Err(PolicyFault::Form("quorum <name>")) };
        let quorum = match *name {
            NONE => Quorum::None,
            name => self.defined(name)?.means.clone(),
        };
        if self.quorum.is_some() {
            return Err(PolicyFault::SecondQuorum);
        }
        self.quorum = Some(quorum);
        Ok(())
    }

    fn define(&mut self, name: &str, means: Quorum) -> Result<(), PolicyFault> {
        if name == NONE {
            return Err(PolicyFault::ReservedName);
        }
        if self.defined.iter().any(|defined| defined.name == name) {
            return Err(PolicyFault::DuplicateName(name.into()));
        }
        if self.defined.len() == MAX_DEFINITIONS {
            return Err(PolicyFault::TooLarge);
        }
        self.defined.push(Definition { name: name.into(), means, is_member: false });
        Ok(())
    }

    fn defined(&mut self, name: &str) -> Result<&mut Definition, PolicyFault> {
        let unknown = || PolicyFault::Unknown(name.into());
        self.defined.iter_mut().find(|defined| defined.name == name).ok_or_else(unknown)
    }

    fn member(&mut self, name: &str) -> Result<Quorum, PolicyFault> {
        let defined = self.defined(name)?;
        if defined.is_member {
            return Err(PolicyFault::RepeatedMember(name.into()));
        }
        defined.is_member = true;
        Ok(defined.means.clone())
    }
}

const GROUP_FORM: &str = "group <name> <any|all|k> <name>…";

fn parse_key(vkey: &str, signature_type: SignatureType) -> Result<VerifierKey, PolicyFault> {
    let key = VerifierKey::parse(vkey).map_err(PolicyFault::Key)?;
    if key.signature_type() == signature_type { Ok(key) } else { Err(PolicyFault::KeyType) }
}

fn parse_threshold(text: &str, members: usize) -> Result<usize, PolicyFault> {
    let threshold = match text {
        "any" => Some(1),
        "all" => Some(members),
        number => line::decimal(number).and_then(|number| usize::try_from(number).ok()),
    };
    threshold.filter(|threshold| (1..=members).contains(threshold)).ok_or(PolicyFault::Threshold { members })
}
