//! A browser that reads a page without a window, where one is installed.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Uses a page as a reader does, and sends what it saw to the page around it.
const SCRIPT: &str = include_str!("report_browser.js");

/// A program that reads pages.
#[derive(Debug)]
pub struct Browser(PathBuf);

/// The program that `CHROMIUM` names, or the first of the usual names in `PATH`. None, with a printed line, if there is none or it
/// cannot print a page here.
pub fn found() -> Option<Browser> {
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders = env::var_os("PATH").unwrap_or_default();
    let usual = || env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name))).find(|path| path.is_file());
    let Some(browser) = named.or_else(usual).map(Browser) else {
        println!("skipped: the page is read by no browser; none of {names:?} is installed and CHROMIUM names none");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    std::fs::write(&page, "<!DOCTYPE html><title>t</title><p id=\"a\">").unwrap();
    if !browser.dump(&page, &[]).0.contains("<p id=\"a\">") {
        println!("skipped: {} prints no page here", browser.0.display());
        return None;
    }
    Some(browser)
}

/// The page with the script that uses it; the page's policy is widened by that script alone.
pub fn used(page: &str) -> String {
    assert_eq!(page.matches("script-src &#39;").count(), 1, "the page has its policy");
    let page = page.replacen("script-src &#39;", "script-src &#39;nonce-used&#39; &#39;", 1);
    page.replacen("</body>", &format!("<script nonce=\"used\">{SCRIPT}</script></body>"), 1)
}

impl Browser {
    /// The tree of a page after its scripts have run, and what the browser said.
    pub fn dump(&self, page: &Path, more: &[&str]) -> (String, String) {
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(&self.0)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--virtual-time-budget=200000", "--window-size=1600,1000", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(more)
            .args(["--dump-dom".into(), format!("file://{}", page.display())])
            .output();
        match output {
            Ok(output) => (String::from_utf8_lossy(&output.stdout).into(), String::from_utf8_lossy(&output.stderr).into()),
            Err(error) => (String::new(), error.to_string()),
        }
    }

    /// What the script saw on a page that is `width` pixels wide, and the lines of the console. The page stands in a frame: windows
    /// have a least width.
    pub fn see(&self, page: &str, width: u32, dark: bool) -> (Value, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("page.html"), used(page)).unwrap();
        let around = format!(
            "<!DOCTYPE html><title>around</title><iframe src=\"page.html\" width=\"{width}\" height=\"900\" style=\"border:0\"></iframe>\
             <pre id=\"seen\"></pre><script>onmessage = event => {{ document.getElementById('seen').textContent = event.data; }};</script>"
        );
        std::fs::write(path("around.html"), around).unwrap();
        let scheme: &[&str] = if dark { &["--blink-settings=preferredColorScheme=0"] } else { &[] };
        let (dom, said) = self.dump(&path("around.html"), scheme);
        let seen = dom.split("<pre id=\"seen\">").nth(1).and_then(|rest| rest.split("</pre>").next()).unwrap_or_default();
        let seen = seen.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
        let seen = serde_json::from_str(&seen).unwrap_or_else(|error| panic!("the page did not answer: {error}\n{seen}\n{said}"));
        (seen, said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect())
    }
}
