//! Signs texts into notes and opens notes again. Only the text of an opened note may be believed.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cosigner::verified_time;
use super::key::is_key_name;
use super::{MAX_NOTE, MAX_SIGNATURES, NoteError, NoteSigner, SignatureType, VerifierKey};

/// What every signature line starts with: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A note of which at least one trusted signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The signed text with its final newline.
    pub text: String,
    /// The trusted keys that signed it, in the order of the note, each once.
    pub signed_by: Vec<SignedBy>,
}

/// A key whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The key name.
    pub name: String,
    /// The key id.
    pub key_id: u32,
    /// For a cosignature, when the cosigner says it saw the text: POSIX seconds. The latest, if it signed repeatedly.
    pub cosigned_at: Option<u64>,
}

impl SignedBy {
    /// Whether it is this key that signed.
    #[must_use]
    pub fn is(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.key_id == key.key_id()
    }
}

/// Signs a text with every signer, in their order.
///
/// # Errors
/// The text or a signer's name cannot stand in a note, there are no signers or too many, or one of them does not sign.
pub fn sign(text: &str, signers: &[&dyn NoteSigner]) -> Result<String, NoteError> {
    if !is_text(text) {
        return Err(NoteError::Text);
    }
    if signers.is_empty() {
        return Err(NoteError::Unsigned);
    }
    if signers.len() > MAX_SIGNATURES {
        return Err(NoteError::Malformed("too many signatures"));
    }
    let mut note = String::from(text);
    note.push('\n');
    for signer in signers {
        note.push_str(&signature_line(text, *signer)?);
    }
    if note.len() > MAX_NOTE { Err(NoteError::TooLarge) } else { Ok(note) }
}

/// The line that says that this signer signed the text, with its newline: what a witness answers.
///
/// # Errors
/// The text or the signer's name cannot stand in a note, or the signer does not sign.
pub fn signature_line(text: &str, signer: &dyn NoteSigner) -> Result<String, NoteError> {
    if !is_text(text) {
        return Err(NoteError::Text);
    }
    if !is_key_name(signer.name()) {
        return Err(NoteError::KeyName(signer.name().into()));
    }
    let signature = [signer.key_id().to_be_bytes().as_slice(), &signer.sign(text.as_bytes())?].concat();
    Ok([SIGNATURE_PREFIX, signer.name(), " ", &STANDARD.encode(signature), "\n"].concat())
}

/// Adds to a note those of the signature lines that hold by one of these keys, such as a witness' answer to its log.
/// Other lines are left out, so a stranger's words do not travel on with ours, and so is what the note has already.
///
/// # Errors
/// The note or a line is malformed, a line of one of these keys does not hold, or none is of these keys.
pub fn add(note: &str, lines: &str, keys: &[VerifierKey]) -> Result<String, NoteError> {
    let text = unverified_text(note)?;
    // The lines are read as the signatures of the very text that they have to sign.
    if open(&[text, "\n", lines].concat(), keys)?.text != text {
        return Err(NoteError::Malformed("there is an empty line between signatures"));
    }
    let present: Vec<&str> = note.lines().skip(text.lines().count() + 1).collect();
    let mut added = String::from(note);
    for line in lines.lines().filter(|line| !present.contains(line)) {
        if known(keys, &signature_line_of(line)?)?.is_some() {
            added.extend([line, "\n"]);
        }
    }
    unverified_text(&added)?;
    Ok(added)
}

/// The text of a well-formed note. Nobody has verified it: it serves to find out which keys to open the note with.
///
/// # Errors
/// The note is malformed.
pub fn unverified_text(note: &str) -> Result<&str, NoteError> {
    let (text, mut lines) = split(note)?;
    lines.try_for_each(|line| line.map(drop))?;
    Ok(text)
}

/// Opens a note: every signature of a known key must hold, and there must be one. Unknown keys are ignored.
///
/// # Errors
/// The note is malformed, a known key's signature does not hold, or no known key has signed.
pub fn open(note: &str, keys: &[VerifierKey]) -> Result<Opened, NoteError> {
    let (text, lines) = split(note)?;
    refuse_shared_keys(keys)?;
    let mut signed_by: Vec<SignedBy> = Vec::new();
    for line in lines {
        let signature = line?;
        let Some(key) = known(keys, &signature)? else { continue };
        // Verified even when repeated: a bad signature of a known key always rejects the note.
        let cosigned_at = verify(key, text, &signature)?;
        match signed_by.iter_mut().find(|earlier| earlier.is(key)) {
            Some(earlier) => earlier.cosigned_at = earlier.cosigned_at.max(cosigned_at),
            None => {
                signed_by.push(SignedBy { name: key.name().into(), key_id: key.key_id(), cosigned_at });
            }
        }
    }
    if signed_by.is_empty() { Err(NoteError::Unsigned) } else { Ok(Opened { text: text.into(), signed_by }) }
}

/// The time of a signature that holds, if it is a cosignature.
fn verify(key: &VerifierKey, text: &str, signature: &Signature<'_>) -> Result<Option<u64>, NoteError> {
    let invalid = || NoteError::InvalidSignature(key.name().into());
    match key.signature_type() {
        SignatureType::Ed25519 if key.verifies(text.as_bytes(), &signature.bytes) => Ok(None),
        SignatureType::Ed25519 => Err(invalid()),
        SignatureType::CosignatureV1 => {
            verified_time(key, text.as_bytes(), &signature.bytes).map(Some).ok_or_else(invalid)
        }
    }
}

/// A cosignature does not say the cosigner's name, so two cosigners with one key would count one witness twice.
fn refuse_shared_keys(keys: &[VerifierKey]) -> Result<(), NoteError> {
    let cosigners = || keys.iter().filter(|key| key.signature_type() == SignatureType::CosignatureV1);
    for (place, key) in cosigners().enumerate() {
        if cosigners().skip(place + 1).any(|other| other != key && other.is_same_key(key)) {
            return Err(NoteError::SharedKey(key.name().into()));
        }
    }
    Ok(())
}

struct Signature<'a> {
    name: &'a str,
    key_id: u32,
    bytes: Vec<u8>,
}

/// The text and the signature lines of a note, which the *last* empty line separates.
fn split(note: &str) -> Result<(&str, impl Iterator<Item = Result<Signature<'_>, NoteError>>), NoteError> {
    if note.len() > MAX_NOTE {
        return Err(NoteError::TooLarge);
    }
    if note.contains(is_forbidden) {
        return Err(NoteError::Malformed("it holds a control character"));
    }
    let (_, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Malformed("it has no empty line"))?;
    // The text keeps its own final newline but not the empty line.
    let text = note.get(..note.len() - signatures.len() - 1).unwrap_or_default();
    let lines = signatures.strip_suffix('\n').ok_or(NoteError::Malformed("it does not end in a newline"))?;
    if lines.split('\n').count() > MAX_SIGNATURES {
        return Err(NoteError::Malformed("too many signatures"));
    }
    Ok((text, lines.split('\n').map(signature_line_of)))
}

fn signature_line_of(line: &str) -> Result<Signature<'_>, NoteError> {
    let malformed = || NoteError::Malformed("a signature line is not `\u{2014} name signature`");
    let (name, encoded) =
        line.strip_prefix(SIGNATURE_PREFIX).and_then(|rest| rest.split_once(' ')).ok_or_else(malformed)?;
    let decoded = STANDARD.decode(encoded).map_err(|_| malformed())?;
    let (id, bytes) = decoded.split_first_chunk::<4>().ok_or_else(malformed)?;
    if !is_key_name(name) || bytes.is_empty() {
        return Err(malformed());
    }
    Ok(Signature { name, key_id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
}

/// The trusted key that claims this signature.
fn known<'k>(
    keys: &'k [VerifierKey],
    signature: &Signature<'_>,
) -> Result<Option<&'k VerifierKey>, NoteError> {
    let claimed = |key: &&VerifierKey| key.name() == signature.name && key.key_id() == signature.key_id;
    let mut matching = keys.iter().filter(claimed);
    let first = matching.next();
    if matching.any(|other| Some(other) != first) {
        return Err(NoteError::AmbiguousKey(signature.name.into()));
    }
    Ok(first)
}

fn is_text(text: &str) -> bool {
    text.ends_with('\n') && !text.contains(is_forbidden)
}

/// Control characters other than newline.
fn is_forbidden(character: char) -> bool {
    character < ' ' && character != '\n'
}
