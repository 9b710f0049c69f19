//! Fuzz targets: one for each parser that reads what others wrote.
//!
//! A target is more than a search for panics. Each states what has to hold for *any* bytes: what parses prints back to the same bytes,
//! what nobody signed does not open, what an independent crate accepts is accepted here, or the difference has a reason. `bin/fuzz` lets
//! libFuzzer look for a counterexample, starting from good documents.

mod bundles;
mod crons;
mod envelopes;
mod ground;
mod json;
mod leaves;
mod notes;
mod openings;
mod passkeys;
mod proofs;
mod signatures;
mod tiles;
mod witnesses;

/// One property of one parser.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, as in `scripts/fuzz`.
    pub name: &'static str,
    /// Good inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Panics if the property does not hold for this input.
    pub check: fn(&[u8]),
}

/// All of them. A new parser adds a line.
pub const TARGETS: [Target; 23] = [
    Target { name: "json", seeds: json::seeds, check: json::check },
    Target { name: "leaf", seeds: leaves::seeds, check: leaves::check },
    Target { name: "census_row", seeds: leaves::row_seeds, check: leaves::check_row },
    Target { name: "note", seeds: notes::seeds, check: notes::check },
    Target { name: "checkpoint", seeds: notes::checkpoint_seeds, check: notes::check_checkpoint },
    Target { name: "vkey", seeds: notes::vkey_seeds, check: notes::check_vkey },
    Target { name: "tile_path", seeds: tiles::path_seeds, check: tiles::check_path },
    Target { name: "tile_content", seeds: tiles::content_seeds, check: tiles::check_content },
    Target { name: "proof", seeds: proofs::seeds, check: proofs::check },
    Target { name: "proof_file", seeds: proofs::file_seeds, check: proofs::check_file },
    Target { name: "add_checkpoint", seeds: witnesses::seeds, check: witnesses::check },
    Target { name: "policy", seeds: witnesses::policy_seeds, check: witnesses::check_policy },
    Target { name: "ssh_key", seeds: signatures::key_seeds, check: signatures::check_key },
    Target { name: "sshsig", seeds: signatures::seeds, check: signatures::check },
    Target { name: "cbor", seeds: passkeys::cbor_seeds, check: passkeys::check_cbor },
    Target { name: "attestation", seeds: passkeys::attestation_seeds, check: passkeys::check_attestation },
    Target { name: "client_data", seeds: passkeys::client_data_seeds, check: passkeys::check_client_data },
    Target { name: "passkey", seeds: passkeys::enrolled_seeds, check: passkeys::check_enrolled },
    Target { name: "bundle", seeds: bundles::seeds, check: bundles::check },
    Target { name: "signed_bundle", seeds: bundles::seeds, check: bundles::check_signed },
    Target { name: "cron", seeds: crons::seeds, check: crons::check },
    Target { name: "break_glass", seeds: openings::seeds, check: openings::check },
    Target { name: "envelope", seeds: envelopes::seeds, check: envelopes::check },
];
