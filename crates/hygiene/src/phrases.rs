//! Phrases that speak to a model, in English. They are read in the folded text: lower case, one blank between words.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use crate::SuspicionKind;

/// A pattern with the kind that it tells.
pub(crate) struct Phrase {
    pub(crate) kind: SuspicionKind,
    pattern: Regex,
    /// Whether a "not" in or before it makes it harmless.
    negatable: bool,
}

impl Phrase {
    pub(crate) fn new(kind: SuspicionKind, pattern: &str) -> Self {
        let pattern = Regex::new(pattern).expect("a test compiles every pattern of this crate");
        Self { kind, pattern, negatable: false }
    }

    /// As [`Phrase::new`], for orders that ordinary texts give with a "not": "do not forget to read the instructions".
    pub(crate) fn unless_negated(kind: SuspicionKind, pattern: &str) -> Self {
        Self { negatable: true, ..Self::new(kind, pattern) }
    }

    pub(crate) fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.pattern
            .find_iter(text)
            .map(|found| found.range())
            .filter(|range| !self.negatable || !is_negated(text, range))
    }
}

/// How many bytes before an order are searched for a "not".
const BEFORE: usize = 24;

static NEGATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:\b(?:not|never|don't|don’t|doesn't|didn't|cannot|can't|without|nothing|nobody|no|nor|nicht|nie|kein\w*|pas|jamais|no|non|nunca|não|niet|nooit|nie|ne|ikke|inte|älä|не|ні|never)\b|n['’]|別|不要|ない)",
    )
    .expect("the pattern is well formed")
});

fn is_negated(text: &str, range: &Range<usize>) -> bool {
    let from = text.floor_char_boundary(range.start.saturating_sub(BEFORE));
    let before = &text[from..range.start];
    // Only what stands in the same sentence.
    let before = before.rfind(['.', '!', '?', '\n', ':']).map_or(before, |at| &before[at..]);
    NEGATION.is_match(before) || NEGATION.is_match(&text[range.clone()])
}

/// What instructions are called.
const RULES: &str = r"(?:instructions?|prompts?|directions|guidelines?|directives?|programming|guardrails?|safety (?:rules|measures|filters?|checks?)|training|system message|orders)";
/// What a model is called.
const MODEL: &str = r"(?:ai|a\.i\.|llms?|language models?|ai models?|ai assistants?|ai agents?|virtual assistants?|support agents?|chatbots?|chat bots?|bots?|gpt|chatgpt|claude|gemini|copilot|assistants?|triage (?:agent|bot|model)|echo(?: agent| assistant| ai)?|automated (?:agent|system|reader)s?|neural networks?|machine reader)";
/// The skills and things that a model might be told to use.
const HANDS: &str =
    r"(?:remediation|scanner|diagnostics|triage|advisory|vault|model|playbooks?|change[ _]?sets?)";

pub(crate) static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    use SuspicionKind::{Addressed, Exfiltration, Order, Override, Persona, SystemPrompt};
    let plain = |kind, pattern: String| Phrase::new(kind, &pattern);
    let order = |kind, pattern: String| Phrase::unless_negated(kind, &pattern);
    vec![
        order(
            Override,
            format!(
                r"(?:ignor(?:e|ing)|disregard|forget|overrid(?:e|ing)|bypass|neglect|discard|drop|overlook|set aside|pay no attention to|throw away|erase|delete|cancel|stop following)\b.{{0,50}}?\b(?:previous|prior|above|earlier|preceding|all|any|every|your|system|safety|former|original|initial|existing|other|those|these|everything)\b.{{0,40}}?\b{RULES}\b"
            ),
        ),
        plain(Override, format!(r"(?:do not|don't|stop|never|no longer|need not) (?:follow|obey|obeying|following|comply with|adhere to|listen to|heed|apply).{{0,40}}?\b(?:previous|prior|above|earlier|your|system|safety|original|any of)\b.{{0,30}}?\b(?:{RULES}|rules?|polic(?:y|ies))\b")),
        order(Override, r"(?:ignore|disregard|forget|override|bypass)\b.{0,30}?\b(?:previous|prior|above|earlier|your|system|safety|original)\b.{0,30}?\b(?:rules?|constraints?|restrictions?|polic(?:y|ies)|limits|limitations)\b".to_owned()),
        order(Override, r"(?:ignore|disregard|forget) (?:everything|all|anything|what|whatever)\b.{0,40}?\b(?:above|before|previously|told|said|earlier|so far|until now)\b".to_owned()),
        plain(Override, r"(?:new|updated|revised|real|actual|true|overriding|higher[- ]priority|urgent system) (?:instructions?|directives?|orders?|system prompt)\s*(?::|is to|are to|follow|for you)".to_owned()),
        plain(Override, r"your (?:new|real|actual|true|only|first|main|next) (?:instructions?|task|goal|objective|purpose|job|mission|orders?|directive)\b.{0,10}?\b(?:is|are|now)\b".to_owned()),
        plain(Override, r"from (?:now on|this point|here on),? (?:you|your|always|answer|respond|reply|treat|the assistant)".to_owned()),
        plain(Override, r"(?:end|begin|start) of (?:system|user|the|retrieved|trusted|untrusted|developer)? ?(?:prompt|instructions?|context|conversation|documents?|data|message|input)\b".to_owned()),
        plain(Persona, format!(r"you(?: are|'re|’re| will be| must be) (?:now |henceforth |hereby )?(?:(?:a|an|the|in|my|called|named) )?(?:(?:new|very|fully|completely|totally|different|powerful|autonomous|unrestricted|unfiltered|uncensored|jailbroken|evil|helpful|honest|root|super|privileged|malicious|rogue|free|obedient|remediation|unlimited|dev(?:eloper)?) ?){{0,3}}(?:{MODEL}|dan|developer mode|god mode|sudo mode|superuser|system administrator|root user|remediation executor|shell|terminal|persona|jailbroken|unrestricted|uncensored|unfiltered)\b")),
        plain(Persona, r"you are (?:no longer|not) (?:an? |the )?(?:ai|assistant|bound|restricted|limited|subject|advisor|advisory|chatbot)\b".to_owned()),
        plain(Persona, format!(r"(?:act|behave|respond|answer|operate|function|work|speak|reply) (?:as|like) (?:if you (?:are|were)|though you|(?:a|an|the|my) ?(?:\w+ )?(?:{MODEL}|root|administrator|admin|superuser|shell|terminal|hacker|dan|unrestricted|remediation agent|interpreter))\b")),
        plain(Persona, r"(?:pretend|imagine|suppose|assume|role-?play|simulate)\b.{0,20}?\b(?:you are|you're|you were|to be|that you|being|you have no|there are no)\b.{0,50}?\b(?:ai|assistant|model|rules|restrictions|limits|filters?|root|admin|agent|terminal|shell|dan|hacker|approval)\b".to_owned()),
        plain(Persona, r"(?:enter|enable|activate|switch (?:in)?to|turn on|you are in) (?:dan|god|sudo|jailbreak|unrestricted|developer|debug|maintenance|admin|root|override|unsafe) mode\b.{0,60}?\b(?:you|without|answer|no |ignore|approv|tool|respond|reveal|print)".to_owned()),
        plain(Persona, r"do anything now|stay in character|break character|\bdan mode|jailbreak (?:prompt|mode)".to_owned()),
        plain(SystemPrompt, format!(r"(?:reveal|print|show|repeat|output|display|leak|tell (?:me|us)|give (?:me|us)|dump|disclose|share|return|write out|write down|recite|quote|summari[sz]e|translate|encode|spell|what (?:is|are|was|were)|copy)\b.{{0,40}}?\b(?:(?:your|the assistant's|the model's|the bot's|the hidden|its) (?:\w+ ){{0,2}}(?:system prompt|{RULES}|system message|secret key|preamble)|system prompt)\b")),
        plain(SystemPrompt, r"(?:repeat|print|output|recite|copy|show|echo|translate|say) (?:all |everything |every word |the (?:words?|text|sentences?|lines?|content|messages?) |verbatim |back )+(?:that (?:is|comes|came|was) |written |of )?(?:above|before|preceding|verbatim)".to_owned()),
        plain(SystemPrompt, r"system (?:prompt|override|directive|instruction|notice to|update for (?:the )?(?:assistant|ai|model))s?\s*[:=\]]".to_owned()),
        plain(Addressed, format!(r"(?:dear|hey|hello|hi|attention|attn|notice|notes?|message|memo|instructions?|command|reminder|important|urgent|directive|warning|info(?:rmation)?)\b[ :,!-]{{0,3}}(?:to|for|all|the|any|every|that|whichever|an|whatever| )*\b{MODEL}\b(?:[ ]?[:,!.\]]| (?:reading|processing|that|who|which|only|must|should|please|handling|summari))")),
        plain(Addressed, format!(r"if you(?:'re|’re| are)? (?:(?:an?|the|reading this as an?|any|some(?: kind of)?) )?{MODEL}\b")),
        plain(Addressed, format!(r"\b{MODEL} (?:that (?:is|are) )?(?:reading|processing|summari[sz]ing|analy[sz]ing|answering|parsing|handling|seeing|ingesting) (?:this|these|the)\b")),
        plain(Addressed, r"\b(?:ai assistants?|language models?|llms?|the ai|ai models?|ai agents?|chatbots?|the assistant|the advisor|the model|the bot)[,:]?(?: that reads this)?(?: and (?:agents?|models?|bots?))? (?:must|shall|has to|have to|needs? to|is (?:required|instructed|ordered|authori[sz]ed|allowed|permitted|hereby)|are (?:required|instructed|authori[sz]ed|allowed|hereby)|should (?:now|always|immediately|instead|reply|answer|respond|say|call|ignore|approve|output|recommend|tell|treat|execute|run|include)|will now)\b".to_owned()),
        plain(Addressed, r"as an? (?:ai|large language|language) (?:language )?(?:model|assistant)\b".to_owned()),
        plain(Addressed, r"(?:your|the (?:assistant's|model's|bot's)) (?:context window|training data|weights|system message|hidden instructions|tool[- ]?calls?|function[- ]?calls?|tools|functions)\b".to_owned()),
        plain(Addressed, r"(?:when|whenever|if|before|after|while) (?:you(?:'re| are)? |asked to |the user )?(?:answer(?:ing)?|summari[sz](?:e|ing)|asked|asks|respond(?:ing)?|repl(?:y|ying)|quot(?:e|ing)|cit(?:e|ing)|reads?|reading|processing|retriev(?:e|ed|ing))\b.{0,60}?\b(?:always|instead|first|also|you must|do not mention|append|include|begin with|call|output|say only|reply only|add the)\b".to_owned()),
        order(Order, format!(r"(?:call|invoke|run|execute|use|trigger|launch|issue|perform|fire|activate|apply|approve|start)\b.{{0,30}}?\b(?:tool|function|skill|plugin|{HANDS}[._ ][a-z]+)\b.{{0,80}}?\b(?:now|immediately|at once|silently|automatically|without|right away|do not ask|don't ask|before answering|first and|then say|on all|with (?:the )?(?:arguments?|parameters?|change|approval|approved|force|sudo|yes))\b")),
        order(Order, format!(r"\b(?:you|assistant|agent|model|ai|bot)\b.{{0,30}}?\b(?:must|should|shall|will|have to|need to|are to|please|now|can|may)\b.{{0,30}}?\b(?:call|invoke|run|execute|trigger|apply|approve|use)\b.{{0,30}}?(?:\b(?:tool|function|skill)\b|\b{HANDS}[._][a-z]+)")),
        order(Order, r"(?:call|invoke|run|execute|use|trigger|issue|perform|apply|approve|start|do|make|emit|output|send)\b.{0,12}?\b(?:remediation|vault|scanner|diagnostics|triage|advisory|model)[._](?:apply|plan|open|unseal|posture|probe|classify|answer|chat|embed|approve)\b.{0,60}?\b(?:for|on|with|and|to)\b.{0,20}?\b(?:all|every|this|device|case|force|approve|auto|any|customer)".to_owned()),
        order(Order, r"(?:approve|apply|accept|confirm|authori[sz]e|sign|merge|execute|run|grant)\b.{0,40}?\b(?:(?:the|this|all|any|every|pending|proposed|attached|open) ){1,3}(?:\w+ )?(?:change[ _-]?sets?|changes?|fix(?:es)?|plans?|playbooks?|requests?|remediations?|payments?|invoices?|commands?)\b.{0,60}?\b(?:without|automatically|immediately|silently|at once|no (?:need|questions)|on (?:my|the (?:customer|user|operator)'s) behalf|don't (?:ask|wait)|do not (?:ask|wait))".to_owned()),
        plain(Order, r"(?:without (?:asking|approval|confirmation|telling|notifying|informing|mentioning)|skip(?:ping)? (?:the )?(?:approval|confirmation|review)|(?:do not|don't|never) (?:ask|wait) for (?:approval|confirmation|permission)).{0,40}?\b(?:call|run|apply|execute|approve|invoke|delete|install|disable|grant|send)\b.{0,40}?\b(?:tool|skill|function|remediation|playbook|change|device|command|fix)".to_owned()),
        plain(Order, r"(?:do not|don't|never) (?:mention|tell|reveal|disclose|inform|show|notify|let|say|warn)\b.{0,30}?\b(?:the (?:user|customer|technician|operator|human|reader)|anyone|anybody|them|this (?:instruction|message|note|text|prompt|paragraph)|these (?:instructions|lines)|that (?:you|this (?:note|text|instruction)))".to_owned()),
        plain(Order, r"(?:respond|reply|answer|output|print|say|write|begin|start|end|return)\b.{0,12}?\b(?:only|exactly|nothing but|just|solely|verbatim|your (?:answer|reply|response|output)|every (?:answer|reply|response))\b.{0,12}?\b(?:with|the (?:word|string|phrase|following|text|json|tool)|this|json|by)\b".to_owned()),
        plain(Exfiltration, r"(?:send|post|forward|upload|exfiltrate|transmit|leak|email|mail|submit|append|encode|embed|include|put|copy|paste|export)\b.{0,60}?\b(?:conversation|chat history|chat log|(?:system )?prompt|the context|case (?:history|file|data|text)|all (?:customers?|cases?|passwords?|secrets?|keys?|tokens?|data)|other customers?|customer (?:data|list|records)|vault|api keys?|credentials|agent keys?|access tokens?|everything (?:you|above))\b.{0,80}?(?:https?:|www\.|\burl\b|\bwebhook\b|\blink\b|\bimage\b|\bquery string\b|[a-z0-9._-]+@[a-z0-9-]+\.[a-z]|\bto (?:the )?(?:attacker|address|server|following|this)\b|\bin (?:your|the) (?:answer|reply|response)\b)".to_owned()),
        plain(Exfiltration, r"!\[[^\]]{0,80}\]\(\s*https?://[^)\s]{1,200}(?:\?|=|%7b|\{|\[|\$)".to_owned()),
        plain(Exfiltration, r"(?:list|show|print|tell|give|reveal|read|dump|return|output|fetch|summari[sz]e)\b.{0,30}?\b(?:other|another|all|every|each|different|any other) (?:customers?|clients?|tenants?|companies|company|accounts?)['’]?s?\b.{0,30}?\b(?:cases?|data|records?|devices?|passwords?|secrets?|keys?|invoices?|tickets?|names?|files?|history)".to_owned()),
        plain(Exfiltration, r"(?:reveal|print|show|dump|output|read out|disclose|tell me|give me|list|export)\b.{0,30}?\b(?:the |your |all |every |this )*(?:vault(?:'s)? (?:secrets?|contents?|key|passphrase)|agent keys?|keystore|private keys?|environment variables|signing keys?|secrets in (?:the|your)|operator'?s? (?:password|token))\b".to_owned()),
    ]
});

/// The same orders with every letter run together: read in texts whose words are torn apart, reversed or turned by
/// thirteen letters.
pub(crate) static TORN: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    use SuspicionKind::{Order, Override, Persona, SystemPrompt};
    vec![
        Phrase::new(
            Override,
            r"(?:ignore|disregard|forget|bypass|override)(?:all|any|the|your|my|of|these|those|every|each|everything){0,3}(?:previous|prior|above|earlier|preceding|former|existing|system|safety|original|initial)(?:and\w{0,12})?(?:instruction|prompt|rule|guideline|directive|message|order)",
        ),
        Phrase::new(
            Override,
            r"(?:ignore|disregard|forget|bypass|override)(?:all|any|your|every)(?:of)?(?:your|the|my)?(?:instruction|prompt|guideline|directive)",
        ),
        Phrase::new(
            SystemPrompt,
            r"(?:reveal|print|show|repeat|output|leak|dump|disclose)(?:me)?(?:the|your|all|hidden){0,2}(?:systemprompt|systemmessage|hiddeninstruction|initialinstruction)",
        ),
        Phrase::new(
            Persona,
            r"youarenow(?:an?|the)?(?:unrestricted|uncensored|jailbroken|rogue|root|dan|evil|free|autonomous)",
        ),
        Phrase::new(
            Order,
            r"(?:call|run|execute|invoke|approve|apply)(?:the|skill|tool|function){0,2}(?:remediationapply|remediationplan|scannerposture|vaultopen|changeset)",
        ),
    ]
});
