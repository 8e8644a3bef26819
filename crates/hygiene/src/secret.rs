//! The shapes of secrets. The shapes of services' tokens are those that the services publish for scanners.

use std::sync::LazyLock;

use crate::{Kind, rule::Rule};

/// Words before a `:` or `=` that announce a secret.
const NAMES: &str = r"pass(?:word|wort|wd|phrase|code)|pwd|kennwort|contraseña|mot de passe|senha|wachtwoord|has[lł]o|пароль|密码|パスワード|secret(?:[_ -]?(?:access[_ -]?)?key)?|api[_ -]?key|access[_ -]?key|auth[_ -]?token|access[_ -]?token|refresh[_ -]?token|client[_ -]?secret|private[_ -]?key|token";

/// What finds secrets. The group `it`, where a pattern has one, is what is taken out.
pub(crate) static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let named = format!(r#"(?i)(?:{NAMES})["']?\s*(?::|=|:=|=>)\s*["']?(?P<it>[^\s"'<>]{{4,}})"#);
    let said = r#"(?i)\b(?:pass(?:word|wort|phrase|code)|pwd|kennwort|contraseña|mot de passe|senha|wachtwoord|pin)\b[^.:\n]{0,40}?\b(?:is|was|ist|lautet|es|est|é|è)\s+["'“]?(?P<it>[^\s"'”]{4,})"#;
    vec![
        Rule::plain(
            Kind::PrivateKey,
            r"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
        ),
        Rule::plain(Kind::PrivateKey, r"(?i)AGE-SECRET-KEY-(?:[A-Z]{1,8}-)?1[0-9A-Z]{20,}"),
        Rule::plain(Kind::EchoSecret, r"\becho_key_[0-9A-Za-z_]{8,}"),
        // A one-time secret: an id, a full stop and 256 bits.
        Rule::plain(Kind::EchoSecret, r"\b[a-z0-9_-]{8,48}\.[0-9a-f]{64}\b"),
        Rule::plain(Kind::ServiceToken, SERVICES),
        Rule::plain(Kind::BearerToken, r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
        Rule::plain(Kind::BearerToken, r"(?i)\bauthorization\s*[:=]\s*[a-z]+\s+(?P<it>[^\s,]{6,})"),
        Rule::checked(Kind::BearerToken, r"(?i)\bbearer\s+(?P<it>[A-Za-z0-9._~+/=-]{16,})", |it| {
            it.bytes().any(|b| b.is_ascii_digit())
        }),
        Rule::plain(Kind::Password, r"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]*:(?P<it>[^\s/@]+)@"),
        Rule::plain(
            Kind::Password,
            r#"(?i)[?&#](?:token|key|api_?key|sig|signature|access_token|password|secret|code)=(?P<it>[^\s&#"'<>]{6,})"#,
        ),
        Rule::checked(Kind::Password, &named, is_value),
        Rule::checked(Kind::Password, said, looks_secret),
    ]
});

/// Tokens that begin as their services say.
const SERVICES: &str = concat!(
    r"\b(?:",
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}",
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}",
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}",
    r"|AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,}",
    r"|sk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{20,}",
    r"|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{32,}|hvs\.[A-Za-z0-9_-]{20,}|dop_v1_[0-9a-f]{64}",
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|AC[0-9a-f]{32}",
    r")",
);

/// Whether what stands behind `password:` is a value and no placeholder.
fn is_value(it: &str) -> bool {
    !it.starts_with(['[', '$', '{', '%', '*', '(', '/'])
        && !it.chars().all(|c| matches!(c, '.' | 'x' | '-' | '_' | '…'))
}

/// Whether a word behind "the password is" is likelier a password than a remark such as "wrong".
fn looks_secret(it: &str) -> bool {
    let word = it.trim_end_matches(['.', ',', '!', '?', ')']);
    is_value(word)
        && word.chars().count() >= 4
        && (word.chars().any(|c| c.is_ascii_digit())
            || word.chars().any(|c| matches!(c, '!' | '#' | '$' | '%' | '&' | '@' | '*' | '_' | '+' | '=')))
}
