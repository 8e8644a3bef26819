//! The grammar of a rule: `[not ]TYPE:LOCATION[ -> CONTENT]`.
//!
//! Source: Wazuh documentation, "Creating custom SCA policies", rules.

use std::collections::BTreeMap;

use crate::{
    pattern::{Content, PatternError},
    words,
};

/// The longest location once its variables are filled in, in bytes.
const MAX_LOCATION: usize = 64 * 1024;

/// One rule, ready to be asked.
#[derive(Debug)]
pub(crate) struct Rule {
    /// `not` before it.
    pub(crate) negated: bool,
    pub(crate) target: Target,
}

/// What a rule looks at.
#[derive(Debug)]
pub(crate) enum Target {
    /// `f:PATH[,PATH]`: the file exists, or has a line.
    File { paths: Vec<String>, content: Option<Content> },
    /// `d:PATH[,PATH]`: the directory exists, or has below it a file of this name, or such a file has a line.
    Directory { paths: Vec<String>, names: Option<Content>, content: Option<Content> },
    /// `p:NAME`: a process runs.
    Process(Content),
    /// `c:COMMAND`: its output has a line.
    Command { argv: Vec<String>, content: Content },
    /// `r:KEY`: the Windows registry, which no system here has.
    Registry,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuleError {
    #[error("it does not begin with f:, d:, p:, c: or r:")]
    Kind,
    #[error("it names no location")]
    NoLocation,
    #[error("its path `{0}` does not begin with /")]
    Relative(String),
    #[error("its variables make it longer than {MAX_LOCATION} bytes")]
    TooLong,
    #[error("it says more parts with ` -> ` than a rule of its kind has")]
    Parts,
    #[error("a command without a question about its output")]
    NoContent,
    #[error("its command has an open quote")]
    Quote,
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl Rule {
    pub(crate) fn parse(text: &str, variables: &BTreeMap<String, String>) -> Result<Self, RuleError> {
        let text = text.trim();
        let (negated, text) = match text.strip_prefix("not ").or_else(|| text.strip_prefix('!')) {
            Some(rest) => (true, rest.trim_start()),
            None => (false, text),
        };
        let (kind, rest) = text.split_once(':').ok_or(RuleError::Kind)?;
        let (location, content) = match rest.split_once(" -> ") {
            Some((location, content)) => (location, Some(content)),
            None => (rest, None),
        };
        let location = fill_in(location.trim(), variables)?;
        if location.is_empty() {
            return Err(RuleError::NoLocation);
        }
        let target = match kind {
            "f" => {
                Target::File { paths: paths(&location)?, content: content.map(Content::parse).transpose()? }
            }
            "d" => directory(&location, content)?,
            "p" if content.is_some() => return Err(RuleError::Parts),
            "p" => Target::Process(Content::parse(&location)?),
            "c" => Target::Command {
                argv: words::split(&location).ok_or(RuleError::Quote)?,
                content: Content::parse(content.ok_or(RuleError::NoContent)?)?,
            },
            "r" => Target::Registry,
            _ => return Err(RuleError::Kind),
        };
        Ok(Self { negated, target })
    }
}

fn directory(location: &str, rest: Option<&str>) -> Result<Target, RuleError> {
    let (names, content) = match rest.map(|rest| rest.split_once(" -> ").ok_or(rest)) {
        None => (None, None),
        Some(Err(names)) => (Some(names), None),
        Some(Ok((names, content))) => (Some(names), Some(content)),
    };
    Ok(Target::Directory {
        paths: paths(location)?,
        names: names.map(|names| Content::parse(names.trim_end())).transpose()?,
        content: content.map(Content::parse).transpose()?,
    })
}

fn paths(location: &str) -> Result<Vec<String>, RuleError> {
    let paths: Vec<_> = location.split(',').map(|path| path.trim().to_owned()).collect();
    match paths.iter().find(|path| !path.starts_with('/')) {
        Some(path) => Err(RuleError::Relative(path.clone())),
        None => Ok(paths),
    }
}

/// Puts the variables in, the longest name first, so that `$list` does not eat the beginning of `$list_of_files`.
fn fill_in(location: &str, variables: &BTreeMap<String, String>) -> Result<String, RuleError> {
    if !location.contains('$') {
        return Ok(location.to_owned());
    }
    let mut names: Vec<_> = variables.iter().filter(|(name, _)| name.len() > 1).collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    let mut filled = String::new();
    let mut rest = location;
    while let Some(at) = rest.find('$') {
        let (plain, from) = rest.split_at(at);
        filled.push_str(plain);
        if let Some((name, value)) = names.iter().find(|(name, _)| from.starts_with(name.as_str())) {
            filled.push_str(value);
            rest = &from[name.len()..];
        } else {
            filled.push('$');
            rest = &from[1..];
        }
        if filled.len() > MAX_LOCATION {
            return Err(RuleError::TooLong);
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Rule, RuleError> {
        let variables = [("$list", "/a, /b"), ("$list_of_files", "/c"), ("$program", "apache2")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Rule::parse(text, &variables.into())
    }

    #[test]
    fn every_kind_is_understood() {
        let kinds = [
            ("f:/a", "File"),
            ("f:/a -> r:^x", "File"),
            ("d:/a", "Directory"),
            ("d:/a -> x", "Directory"),
            (r"d:/a -> r:.+\.conf$ -> n:x(\d+) compare > 1", "Directory"),
            ("p:sshd", "Process"),
            ("c:sysctl a.b -> r:= 1", "Command"),
            ("r:HKEY_LOCAL_MACHINE -> X -> 1", "Registry"),
        ];
        for (text, kind) in kinds {
            let rule = parse(text).unwrap();
            assert!(format!("{:?}", rule.target).starts_with(kind), "{text}");
            assert!(!rule.negated, "{text}");
            assert!(parse(&format!("not {text}")).unwrap().negated, "{text}");
            assert!(parse(&format!("!{text}")).unwrap().negated, "{text}");
        }
    }

    #[test]
    fn variables_are_lists_of_paths_and_words_of_commands() {
        let Target::File { paths, .. } = parse("f:$list").unwrap().target else { panic!("a file rule") };
        assert_eq!(paths, ["/a", "/b"]);
        let Target::File { paths, .. } = parse("f:$list_of_files,/d$x").unwrap().target else {
            panic!("a file rule")
        };
        assert_eq!(paths, ["/c", "/d$x"]);
        let Target::Command { argv, .. } =
            parse("c:systemctl is-enabled $program -> r:$list").unwrap().target
        else {
            panic!("a command rule")
        };
        assert_eq!(argv, ["systemctl", "is-enabled", "apache2"]);
    }

    #[test]
    fn what_is_no_rule_says_why() {
        for (text, error) in [
            ("", RuleError::Kind),
            ("x:/a", RuleError::Kind),
            ("f:", RuleError::NoLocation),
            ("f:etc/passwd", RuleError::Relative("etc/passwd".into())),
            ("d:/a,b", RuleError::Relative("b".into())),
            ("p:sshd -> r:x", RuleError::Parts),
            ("c:true", RuleError::NoContent),
            ("c:echo 'x -> r:x", RuleError::Quote),
            ("f:/a -> r:x && !", RuleError::Pattern(PatternError::Empty)),
        ] {
            let found = match parse(text) {
                Err(found) => found,
                Ok(rule) => panic!("{text} became {rule:?}"),
            };
            assert_eq!(found, error, "{text}");
        }
    }

    #[test]
    fn variables_cannot_make_a_rule_huge() {
        let variables = BTreeMap::from([("$a".to_owned(), "/x".repeat(10_000))]);
        let rule = format!("f:{}", "$a".repeat(100));
        assert_eq!(Rule::parse(&rule, &variables).unwrap_err(), RuleError::TooLong);
    }
}
