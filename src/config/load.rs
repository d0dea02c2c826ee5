//! From files and environment to a configuration, or to everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use toml::Table;

use super::path::KeyPath;
use super::report::{Finding, Findings, Origin, Report, Text};
use super::resolve::{self, Surroundings};
use super::{Config, defaults, layers, shape, tree, validate};

const FILE_NAME: &str = "roundtable.toml";

/// What a configuration is loaded from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config FILE`; must exist.
    pub file: Option<PathBuf>,
    /// The working directory: its `roundtable.toml` is the file when none is named.
    pub cwd: PathBuf,
    /// The user's folder for configuration of this program, asked last.
    pub user_dir: Option<PathBuf>,
    /// The environment.
    pub env: BTreeMap<String, String>,
}

impl Sources {
    /// The sources of this process. Called once, by the command line; fails without a working directory.
    pub fn of_process(file: Option<PathBuf>) -> io::Result<Self> {
        let env: BTreeMap<String, String> = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let absolute = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let user_dir = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        Ok(Self { file, cwd: env::current_dir()?, user_dir: user_dir.map(|dir| dir.join("roundtable")), env })
    }

    /// The user's file: the named one, or the first that exists.
    fn path(&self) -> Option<PathBuf> {
        if let Some(file) = &self.file {
            return Some(self.cwd.join(file));
        }
        let folders = [Some(&self.cwd), self.user_dir.as_ref()];
        folders.into_iter().flatten().map(|folder| folder.join(FILE_NAME)).find(|path| path.exists())
    }

    /// The file's path as people write it.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.cwd).unwrap_or(path).display().to_string()
    }
}

/// A configuration that holds together.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the program works with.
    pub config: Config,
    /// The user's file, when there is one.
    pub file: Option<PathBuf>,
    /// What works but may not be meant.
    pub warnings: Vec<Finding>,
}

/// Loads the configuration. Reads the file and what it refers to; writes nothing.
pub fn load(sources: &Sources) -> Result<Loaded, Report> {
    let mut findings = Findings::default();
    let overrides = layers::overrides(&sources.env);
    findings.variables = overrides.iter().map(|set| (set.path.clone(), set.name.clone())).collect();
    let file = sources.path();
    if let Some(path) = &file {
        match fs::read_to_string(path) {
            Ok(content) => findings.file = Some(Text { name: sources.shown(path), content }),
            Err(error) => {
                let origin = Origin::File { name: sources.shown(path), line: None };
                let message = format!("can't be read: {error}");
                findings.errors.push(Finding { origin, path: KeyPath::default(), message, help: None });
            }
        }
    }
    let folder = file.as_deref().and_then(Path::parent).unwrap_or(&sources.cwd);
    let around = Surroundings { env: &sources.env, folder };
    let config = layers::merge(&overrides, &sources.env, &mut findings)
        .map(|tree| checked(tree, &overrides, &around, &mut findings));
    misspelt_variables(sources, &mut findings);
    if let Some(path) = &file {
        readable_secrets(path, &sources.shown(path), &mut findings);
    }
    let warnings = findings.into_report()?;
    Ok(Loaded { config: config.unwrap_or_default(), file, warnings })
}

/// The stages after merging.
fn checked(
    mut tree: Table,
    overrides: &[layers::Override],
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Config {
    defaults::complete(&mut tree, around.env, findings);
    for path in resolve::references(&mut tree, around, findings) {
        if matches!(findings.origin(&path), Origin::File { .. }) {
            let help = format!("write `{} = \"env:NAME\"` or `\"file:PATH\"`", path.last_key());
            findings.warn(&path, LITERAL, Some(help));
        }
    }
    let names = |tree: &mut Table, key| {
        tree::table(tree, [key]).into_iter().flat_map(|all| all.keys().cloned()).collect()
    };
    let defined =
        validate::Defined { models: names(&mut tree, "models"), agents: names(&mut tree, "agents") };
    let mut config = shape::typed(tree, overrides, findings);
    findings.values_are_typed();
    validate::check(&config, &defined, findings);
    config.replace_aliases();
    config
}

const LITERAL: &str = "the secret itself is in the file";

fn misspelt_variables(sources: &Sources, findings: &mut Findings) {
    let referred =
        |name: &str| findings.file.as_ref().is_some_and(|file| file.content.contains(&format!("env:{name}")));
    let misspelt: Vec<Finding> = layers::near_overrides(&sources.env)
        .filter(|(name, _)| *name != defaults::HTTP_TOKEN && !referred(name))
        .map(|(name, meant)| Finding {
            origin: Origin::Variable(name.clone()),
            path: KeyPath::default(),
            message: "is not read".into(),
            help: Some(format!("did you mean `{meant}`?")),
        })
        .collect();
    findings.warnings.extend(misspelt);
}

#[cfg(unix)]
fn readable_secrets(path: &Path, shown: &str, findings: &mut Findings) {
    use std::os::unix::fs::PermissionsExt;

    let has_secret = findings.warnings.iter().any(|warning| warning.message == LITERAL);
    let open = fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o044 != 0);
    if has_secret && open {
        findings.warnings.push(Finding {
            origin: Origin::File { name: shown.to_owned(), line: None },
            path: KeyPath::default(),
            message: "holds secrets and other users can read it".into(),
            help: Some(format!("run `chmod 600 {shown}`")),
        });
    }
}

#[cfg(not(unix))]
fn readable_secrets(_: &Path, _: &str, _: &mut Findings) {}
