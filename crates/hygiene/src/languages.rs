//! "Ignore the instructions" in the languages that a help desk meets, read in the folded text.

use std::sync::LazyLock;

use crate::{SuspicionKind, phrases::Phrase};

/// Patterns by language.
pub(crate) static OVERRIDES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    [
        // German, Dutch, Swedish, Danish and Norwegian, Finnish.
        r"\b(?:ignorier|vergiss|vergessen sie|missacht|verwirf|verwerfen sie|übergeh|umgeh)\w*.{0,60}?(?:anweisung|instruktion|vorgabe|systemprompt|sicherheitsregel|regeln|richtlinien)",
        r"\b(?:negeer|vergeet|sla)\b.{0,60}?(?:instructies|regels|aanwijzingen|opdrachten|systeemprompt)",
        r"\b(?:ignorera|glöm|bortse)\b.{0,60}?(?:instruktion|regler|anvisning|systemprompt)",
        r"\b(?:ignorer|glem|se bort)\b.{0,60}?(?:instruks|instruktion|regler|anvisning|systemprompt)",
        r"\b(?:ohita|unohda|jätä huomiotta)\b.{0,60}?(?:ohje|sääntö|säännöt|käsky)",
        // French, Spanish, Italian, Portuguese, Romanian, Catalan.
        r"\b(?:ignor|oubli|néglig|fai(?:s|tes) abstraction)\w*.{0,60}?(?:instruction|consigne|règles|directives|invite système)",
        r"\b(?:ignor|olvid|descart|omit|desestim|haz caso omiso)\w*.{0,60}?(?:instrucci|órdenes|reglas|indicacion|directrices|mensaje del sistema)",
        r"\b(?:ignor|dimentic|trascur|scart|tralascia)\w*.{0,60}?(?:istruzion|regole|direttive|indicazion)",
        r"\b(?:ignor|esque[çc]|desconsider|descart)\w*.{0,60}?(?:instruç|regras|diretrizes|orientaç|comandos anteriores)",
        r"\b(?:ignor|uită|uitați)\w*.{0,60}?(?:instrucțiun|instructiun|reguli)",
        // Polish, Czech and Slovak, Hungarian, Greek, Turkish.
        r"\b(?:zignoruj|ignoruj|zapomnij|pomiń|odrzuć)\w*.{0,60}?(?:instrukcj|polece|zasad|wytyczn)",
        r"\b(?:ignoruj|zapomeň|zabudni|přehlédni)\w*.{0,60}?(?:pokyn|instrukc|inštrukc|pravidl|příkaz)",
        r"(?:hagyd figyelmen kívül|felejtsd el|ne vedd figyelembe).{0,60}?(?:utasítás|szabály)",
        r"(?:αγνόησε|αγνοήστε|ξέχνα|ξεχάστε).{0,60}?(?:οδηγί|εντολ|κανόν)",
        r"(?:talimat|yönerge|kural|komut)\w*.{0,40}?(?:yok say|görmezden gel|unut|dikkate alma|göz ardı)",
        // Russian, Ukrainian, Bulgarian, Serbian.
        r"(?:игнорир|проигнорир|забудь|отмени|не обращай внимания).{0,60}?(?:инструкци|указани|правил|команд|промпт)",
        r"(?:ігнору|проігнору|забудь).{0,60}?(?:інструкці|вказівк|правил|команд)",
        r"(?:игнорирай|забрави|занемари|игнориши).{0,60}?(?:инструкци|указания|правила|упутств)",
        // Chinese, Japanese, Korean.
        r"(?:忽略|无视|無視|忘记|忘記|忽視|不要理会|不理會|丢弃|绕过).{0,20}?(?:指令|指示|说明|說明|规则|規則|提示|命令)",
        r"(?:指示|命令|ルール|プロンプト|指令|制約).{0,15}?(?:無視|忘れ|破棄|従わない)",
        r"(?:지시|명령|규칙|지침|프롬프트).{0,15}?(?:무시|잊)",
        // Arabic, Persian, Hebrew, Hindi, Bengali, Urdu.
        r"(?:تجاهل|انس|انسى|تجاوز|أهمل).{0,40}?(?:التعليمات|تعليمات|الأوامر|أوامر|القواعد)",
        r"(?:دستور|قوانین|قواعد).{0,40}?(?:نادیده|فراموش)",
        r"(?:התעלם|התעלמי|תתעלם|שכח).{0,40}?(?:הוראות|הנחיות|כללים)",
        r"(?:निर्देश|आदेश|नियम).{0,50}?(?:अनदेखा|भूल|नज़रअंदाज़|उपेक्षा|नजरअंदाज)",
        r"(?:নির্দেশ|নিয়ম).{0,40}?(?:উপেক্ষা|ভুলে)",
        r"(?:ہدایات|احکامات).{0,40}?(?:نظر انداز|بھول)",
        // Vietnamese, Indonesian and Malay, Thai, Swahili, Tagalog.
        r"(?:bỏ qua|phớt lờ|quên).{0,50}?(?:hướng dẫn|chỉ dẫn|mệnh lệnh|quy tắc|chỉ thị)",
        r"(?:abaikan|lupakan|hiraukan).{0,50}?(?:instruksi|arahan|perintah|aturan)",
        r"(?:เพิกเฉย|ละเว้น|ลืม|ไม่ต้องสนใจ).{0,40}?(?:คำสั่ง|คำแนะนำ|กฎ)",
        r"(?:puuza|sahau).{0,50}?(?:maagizo|maelekezo|kanuni|amri)",
        r"(?:balewalain|kalimutan).{0,50}?(?:tagubilin|utos|instruksyon|panuntunan)",
    ]
    .into_iter()
    .map(|pattern| Phrase::unless_negated(SuspicionKind::Override, pattern))
    .collect()
});
