//! A real OpenID provider: the certified `oidc-provider`, in a process of its own, for one client and whoever signs in.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use countersign_browser::Tab;
use countersign_server::config::ProviderConfig;
use countersign_server::secrets::SecretRef;
use serde_json::json;

/// What the policy calls it.
pub(crate) const PROVIDER: &str = "corp";

const CLIENT: &str = "countersign";

pub(crate) struct Provider {
    pub(crate) issuer: String,
    process: Child,
    /// It ends when this does.
    told: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where `scripts/oidc-provider` installs: beside what is built.
fn installed() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder");
    let folder = target.join("oidc-provider");
    assert!(
        folder.join("node_modules/oidc-provider").is_dir(),
        "`{}` has no OpenID provider: run `scripts/oidc-provider`, which needs node (20.12 or later) and npm",
        folder.display()
    );
    folder
}

impl Provider {
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../oidc-provider/provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(installed()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("`node` runs");
        let told = process.stdin.take().expect("its input");
        let mut says = BufReader::new(process.stdout.take().expect("its output")).lines();
        let issuer = says.next().expect("it starts").expect("text");
        Self { issuer, process, told, says }
    }

    /// What a node says of it in its configuration.
    pub(crate) fn config(&self, client_secret: SecretRef) -> ProviderConfig {
        ProviderConfig {
            title: "Corp".into(),
            issuer: self.issuer.parse().expect("a link"),
            spelling: self.issuer.clone(),
            client_id: CLIENT.into(),
            client_secret: Some(client_secret),
            scopes: vec!["openid".into()],
            max_age_seconds: None,
        }
    }

    /// Tells it whose client it has, and with which secret.
    pub(crate) fn know(&mut self, (site, secret): (&str, &SecretRef)) {
        let client = json!({
            "client_id": CLIENT, "client_secret": secret.resolve().expect("a secret").expose(),
            "redirect_uris": [format!("{site}/sign-in/sso/{PROVIDER}/callback")],
            "post_logout_redirect_uris": [format!("{site}/sign-in")],
        });
        writeln!(self.told, "{client}").expect("it listens");
        assert_eq!(self.says.next().expect("it goes on").expect("text"), "ready");
    }

    /// Whoever is sent there says who they are.
    pub(crate) fn sign_in(&self, tab: &Tab, login: &str) {
        tab.until(&format!("location.origin === '{}' && document.readyState === 'complete'", self.issuer));
        tab.until("document.getElementById('login')");
        tab.fill("login", login);
        tab.press("Sign in at the provider");
    }
}
