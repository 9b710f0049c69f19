//! Chromium, driven through its own protocol (CDP) over two pipes: pages, what they say in the console, and authenticators that exist only in it.
//!
//! Nothing stands between: no driver program that has to fit the browser's version, no port, no socket. Whatever goes wrong ends the test that uses it.

#![expect(clippy::expect_used, reason = "what goes wrong with the browser ends the test")]

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How long anything may take before the test is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one waits for the browser to say something before one looks again.
const GLANCE: Duration = Duration::from_millis(20);

/// Without an account, updates, or anything else that would ask somebody outside.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--window-size=1100,900",
];

/// One tab of a browser of its own, with an empty profile.
#[derive(Debug)]
pub struct Tab {
    process: Child,
    orders: RefCell<File>,
    answers: Receiver<Value>,
    session: String,
    number: Cell<u64>,
    /// What the page complained about: violations of its policy, errors of its scripts.
    complaints: RefCell<Vec<String>>,
    _profile: tempfile::TempDir,
}

impl Drop for Tab {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, as distributions name it.
fn program() -> String {
    std::env::var("COUNTERSIGN_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned())
}

impl Tab {
    /// Starts the browser.
    #[must_use]
    pub fn open() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let pipe = |name: &str| profile.path().join(name);
        let (to, from) = (pipe("to"), pipe("from"));
        let made = Command::new("mkfifo").arg(&to).arg(&from).status().expect("mkfifo");
        assert!(made.success(), "pipes are made");
        // The browser reads orders from descriptor 3 and answers to 4.
        let mut shell = Command::new("sh");
        shell.args(["-c", "to=$1 from=$2; shift 2; exec \"$@\" 3<\"$to\" 4>\"$from\"", "sh"]);
        shell.arg(&to).arg(&from).arg(program()).args(FLAGS);
        shell.arg(format!("--user-data-dir={}", pipe("profile").display())).arg("about:blank");
        let process = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.expect("sh");
        let orders = OpenOptions::new().write(true).open(&to).expect("the browser reads");
        let answers = File::open(&from).expect("the browser answers");
        let (told, heard) = channel();
        std::thread::spawn(move || {
            let mut answers = BufReader::new(answers);
            let mut line = Vec::new();
            while answers.read_until(0, &mut line).is_ok_and(|length| length > 0) {
                let value = serde_json::from_slice(line.strip_suffix(&[0]).unwrap_or(&line));
                if told.send(value.unwrap_or_default()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        let mut tab = Self {
            process,
            orders: RefCell::new(orders),
            answers: heard,
            session: String::new(),
            number: Cell::new(0),
            complaints: RefCell::default(),
            _profile: profile,
        };
        let target = tab.order("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = tab.order("Target.attachToTarget", target);
        tab.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "WebAuthn.enable"] {
            tab.order(domain, json!({}));
        }
        tab
    }

    /// Gives an order and waits for its outcome.
    ///
    /// # Panics
    /// The browser refuses, or says nothing.
    #[expect(clippy::needless_pass_by_value, reason = "orders are written out where they are given")]
    pub fn order(&self, method: &str, params: Value) -> Value {
        match self.attempt(method, &params) {
            Ok(outcome) => outcome,
            Err(error) => unreachable!("`{method}` {params}: {error}"),
        }
    }

    /// The same, where the browser may refuse: a page that is just going away answers nothing.
    fn attempt(&self, method: &str, params: &Value) -> Result<Value, Value> {
        self.number.set(self.number.get() + 1);
        let id = self.number.get();
        let mut order = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            order["sessionId"] = json!(self.session);
        }
        let mut text = serde_json::to_vec(&order).expect("JSON");
        text.push(0);
        self.orders.borrow_mut().write_all(&text).expect("the browser reads");
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "the browser does not answer `{method}`");
            let Some(answer) = self.hear() else { continue };
            if answer["id"] == id {
                return match &answer["error"] {
                    Value::Null => Ok(answer["result"].clone()),
                    error => Err(error.clone()),
                };
            }
        }
    }

    /// The next thing the browser says, if it says something soon.
    fn hear(&self) -> Option<Value> {
        let told = match self.answers.recv_timeout(GLANCE) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("the browser is gone"),
        };
        let complaint = match told["method"].as_str() {
            // Advice on what we chose is none.
            Some("Log.entryAdded") if told["params"]["entry"]["level"] == "error" => {
                told["params"]["entry"]["text"].as_str()
            }
            Some("Runtime.exceptionThrown") => {
                told["params"]["exceptionDetails"]["exception"]["description"].as_str()
            }
            _ => None,
        };
        if let Some(complaint) = complaint {
            self.complaints.borrow_mut().push(complaint.to_owned());
        }
        Some(told)
    }

    /// Gives the tab an authenticator that verifies whoever is there without being asked, and keeps its passkeys.
    pub fn add_authenticator(&self) -> String {
        let options = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserVerified": true, "automaticPresenceSimulation": true,
        });
        let added = self.order("WebAuthn.addVirtualAuthenticator", json!({ "options": options }));
        added["authenticatorId"].as_str().expect("an authenticator").to_owned()
    }

    /// Whether the authenticator recognises whoever is there.
    pub fn set_verified(&self, authenticator: &str, verified: bool) {
        let params = json!({ "authenticatorId": authenticator, "isUserVerified": verified });
        self.order("WebAuthn.setUserVerified", params);
    }

    /// Goes to an address, and waits until the page is there.
    pub fn go(&self, url: &str) {
        let gone = self.order("Page.navigate", json!({ "url": url }));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        self.until("document.readyState === 'complete'");
    }

    /// What an expression comes to in the page; promises are waited for.
    ///
    /// # Panics
    /// It throws.
    pub fn evaluate(&self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let outcome = self.order("Runtime.evaluate", params);
        assert!(outcome["exceptionDetails"].is_null(), "{expression}: {outcome}");
        outcome["result"]["value"].clone()
    }

    /// Waits until the expression is true in whatever page is there.
    ///
    /// # Panics
    /// It does not come to be true.
    pub fn until(&self, expression: &str) {
        let begun = Instant::now();
        loop {
            let params = json!({ "expression": format!("Boolean({expression})"), "returnByValue": true });
            let outcome = self.attempt("Runtime.evaluate", &params);
            if outcome.is_ok_and(|outcome| outcome["result"]["value"] == true) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "`{expression}` does not come true; there is:\n{}",
                self.text()
            );
            // What the page does is told meanwhile.
            self.hear();
        }
    }

    /// Clicks what has this text, and waits until another page is there.
    pub fn click(&self, text: &str) {
        self.evaluate("window.here = true");
        self.press(text);
        self.until("window.here === undefined && document.readyState === 'complete'");
    }

    /// Clicks what has this text.
    ///
    /// # Panics
    /// Nothing has.
    pub fn press(&self, text: &str) {
        let found = self.evaluate(&format!(
            "(() => {{ const it = [...document.querySelectorAll('button, a')].find((it) => it.textContent.trim() === {}); setTimeout(() => it?.click(), 0); return !!it; }})()",
            json!(text)
        ));
        assert_eq!(found, true, "there is no `{text}` on:\n{}", self.text());
    }

    /// Types into the field of this id.
    pub fn fill(&self, id: &str, text: &str) {
        self.evaluate(&format!("document.getElementById({}).value = {}", json!(id), json!(text)));
    }

    /// What can be read on the page.
    pub fn text(&self) -> String {
        self.evaluate("document.body ? document.body.innerText : ''").as_str().unwrap_or_default().to_owned()
    }

    /// Path and query of the page.
    pub fn path(&self) -> String {
        self.evaluate("location.pathname + location.search + location.hash")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until a page complains of this; what it complained about meanwhile is forgotten.
    ///
    /// # Panics
    /// None does.
    pub fn until_complaint(&self, of: &str) {
        let begun = Instant::now();
        while !self.complaints.borrow().iter().any(|told| told.contains(of)) {
            assert!(begun.elapsed() < PATIENCE, "nobody complains of `{of}`");
            self.hear();
        }
        self.complaints.take();
    }

    /// What pages complained about since this was asked last.
    pub fn complaints(&self) -> Vec<String> {
        while self.hear().is_some() {}
        self.complaints.take()
    }

    /// Takes a picture, where somebody wants to look: `COUNTERSIGN_SCREENSHOTS` names a folder.
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("COUNTERSIGN_SCREENSHOTS") else { return };
        for scheme in ["light", "dark"] {
            let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
            self.order("Emulation.setEmulatedMedia", json!({ "features": features }));
            let taken = self.order("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
            let bytes = STANDARD.decode(taken["data"].as_str().unwrap_or_default()).expect("a picture");
            let path = std::path::Path::new(&folder).join(format!("{name}-{scheme}.png"));
            std::fs::write(path, bytes).expect("the picture is kept");
        }
    }
}
