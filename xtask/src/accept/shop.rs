//! A copy of examples/storefront to try things with: its manifest is rewritten, its sources touched, its stores filled,
//! and the checkout stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::place::place;

const COMPONENTS: [&str; 2] =
    ["components/price/target/wasm32-wasip2/release/price.wasm", "components/describe/dist/describe.wasm"];
const COPIED: [&str; 6] = ["data", "node_modules", "package.json", "server", "test", "web"];

pub struct Shop {
    pub dir: PathBuf,
    /// The manifest as it is in the checkout.
    manifest: String,
}

impl Shop {
    pub fn copy(from: &Path, dir: &Path) -> Result<Self> {
        super::fresh(dir)?;
        let mut cp = Command::new("cp");
        cp.arg("-R").args(COPIED.map(|name| from.join(name))).arg(dir);
        let status = cp.status().context("cannot start cp")?;
        ensure!(status.success(), "{} can't be copied to {}", from.display(), dir.display());
        for component in COMPONENTS {
            place(&from.join(component), &dir.join(component))?;
        }
        let manifest = from.join("coracle.toml");
        let manifest = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        let shop = Self { dir: dir.to_owned(), manifest };
        shop.reset()?;
        Ok(shop)
    }

    /// Back to the manifest of the checkout.
    pub fn reset(&self) -> Result<()> {
        self.write(&self.manifest)
    }

    /// The manifest with more tables at its end.
    pub fn append(&self, tables: &str) -> Result<()> {
        self.write(&format!("{}\n{tables}", self.manifest))
    }

    /// The manifest without the one line that begins like this.
    pub fn without(&self, start: &str) -> Result<()> {
        let lines: Vec<&str> = self.manifest.lines().collect();
        let kept: Vec<&str> = lines.iter().copied().filter(|line| !line.starts_with(start)).collect();
        ensure!(kept.len() + 1 == lines.len(), "the shop's manifest has no single line that begins with `{start}`");
        self.write(&(kept.join("\n") + "\n"))
    }

    /// Whole at any moment, as an editor or a deployment writes it.
    fn write(&self, manifest: &str) -> Result<()> {
        let (to, fresh) = (self.dir.join("coracle.toml"), self.dir.join("coracle.toml.new"));
        fs::write(&fresh, manifest).and_then(|()| fs::rename(&fresh, &to)).context("cannot write the copy's manifest")
    }
}
