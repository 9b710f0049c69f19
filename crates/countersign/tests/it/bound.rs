//! A service token that is bound to a key (DPoP), from the terminal: the key stays in its file, every request proves it, and whoever has the
//! token alone has nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::stage::{PEOPLE, Stage, command, json, run, said, start};

const ASK: [&str; 5] = ["approval", "request", "override", "payout/limit", "production"];

fn with(file: &str, words: &[&str]) -> Output {
    run(&[&["--json", "--credential", file], words].concat())
}

/// Ana issues herself a token.
fn issue(stage: &Stage, (scope, save, key): (&str, &str, &str)) -> Output {
    let words = ["token", "issue", "payouts", "--environment", "production", "--scope", scope];
    stage.by("Ana", &[&words[..], &["--save", save, "--dpop-key", key]].concat())
}

/// A copy of a credential's file with something else in it.
fn changed(file: &str, copy: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut document: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    change(&mut document);
    private(Path::new(copy), &document.to_string());
    copy.to_owned()
}

fn private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn whoever_has_a_bound_token_without_its_key_has_nothing() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let [file, narrower, key, other] =
        ["token.json", "narrower.json", "key.pem", "other.pem"].map(|name| stage.text(name));
    let (code, told) = said(&issue(&stage, ("rotate:payout/limit", &file, &key)));
    assert!(code == 3 && told.contains("scope_not_offered"), "{told}");
    assert!(!Path::new(&file).exists() && !Path::new(&key).exists(), "a clear no leaves nothing behind");

    let issued = json(&issue(&stage, ("override:payout/limit", &file, &key)));
    let jkt = &issued["service_token"]["dpop_jkt"];
    assert!(jkt.is_string() && issued["dpop_key_file"] == *key, "{issued}");
    let pem = std::fs::read_to_string(&key).unwrap();
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = pem.lines().nth(1).unwrap();
    assert!(!std::fs::read_to_string(&file).unwrap().contains(secret), "the key is where it was put only");
    assert_eq!(json(&with(&file, &ASK))["requester"]["name"], "Ana");
    let exchange =
        ["token", "exchange", "--scope", "override:payout/limit", "--lifetime", "60", "--save", &narrower];
    assert_eq!(json(&with(&file, &exchange))["service_token"]["dpop_jkt"], *jkt);
    json(&with(&narrower, &ASK));

    let bare = changed(&file, &stage.text("bare.json"), |file| {
        drop(file.as_object_mut().unwrap().remove("dpop_key"));
    });
    let (code, told) = said(&with(&bare, &ASK));
    assert!(code == 4 && told.contains("dpop_proof_required"), "{code} {told}");
    json(&issue(&stage, ("override:payout/limit", &stage.text("another.json"), &other)));
    let mixed = changed(&file, &stage.text("mixed.json"), |file| file["dpop_key"] = other.clone().into());
    let (code, told) = said(&with(&mixed, &ASK));
    assert!(code == 4 && told.contains("dpop_proof_invalid"), "{code} {told}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, told) = said(&with(&file, &ASK));
    assert!(code != 0 && told.contains("open to others"), "{code} {told}");
    std::fs::remove_file(&key).unwrap();
    let (code, told) = said(&with(&file, &ASK));
    assert!(code == 4 && told.contains("worth nothing"), "{code} {told}");
    served.stop();
}

/// The node shows a certificate for `localhost` that only this test's authority vouches for, and is another node after its restart: what it wanted
/// proofs to name before is not known to it.
#[test]
fn a_bound_token_is_used_at_a_node_that_speaks_tls_on_this_machine() {
    let stage = Stage::new();
    let served = stage.serve();
    stage.claim_all(&served.url);
    let (file, key) = (stage.text("token.json"), stage.text("key.pem"));
    json(&issue(&stage, ("override:payout/limit", &file, &key)));
    json(&with(&file, &ASK));
    served.stop();

    let roots = certificates(stage.root());
    let config = stage.path("node/countersign.toml");
    let tls = format!(
        "\n[server.tls]\ncertificate = \"{}\"\nkey = \"file:{}\"\n",
        stage.text("tls.crt"),
        stage.text("tls.key")
    );
    let whole = std::fs::read_to_string(&config).unwrap() + &tls;
    std::fs::write(&config, whole).unwrap();
    let (mut node, stdin, announced) =
        start(&["serve", "--config", config.to_str().unwrap(), "--with-parent"]);
    let listening = announced["listening"].as_str().unwrap();
    let url = format!("https://localhost:{}", listening.rsplit(':').next().unwrap());
    let over_tls = |file: &str, words: &[&str]| {
        let mut command = command(&[&["--json", "--server", &url, "--credential", file], words].concat());
        command.env("SSL_CERT_FILE", &roots).stdin(Stdio::null()).output().unwrap()
    };
    assert_eq!(json(&over_tls(&file, &ASK))["requester"]["name"], "Ana");
    // A key that another program made, on P-256.
    let p256 = stage.text("p256.pem");
    private(Path::new(&p256), &KeyPair::generate().unwrap().serialize_pem());
    let (ana, saved) = (stage.text(&format!("{}.json", PEOPLE[0])), stage.text("p256.json"));
    let words =
        ["token", "issue", "payouts", "--environment", "production", "--scope", "override:payout/limit"];
    json(&over_tls(&ana, &[&words[..], &["--save", &saved, "--dpop-key", &p256]].concat()));
    assert_eq!(json(&over_tls(&saved, &ASK))["requester"]["name"], "Ana");
    drop(stdin);
    assert!(node.wait().unwrap().success());
}

/// A certificate for `localhost` and its key, in the folder; the file with the root that leads to it.
fn certificates(folder: &Path) -> std::path::PathBuf {
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let issuer = Issuer::new(params, authority);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    private(&folder.join("tls.key"), &key.serialize_pem());
    let roots = folder.join("root.crt");
    std::fs::write(&roots, root.pem()).unwrap();
    roots
}
