use super::dice::Dice;

/// Who and what appears in generated events. Everything is invented; addresses are of the ranges for documentation
/// and private networks, and of ranges that carriers use among themselves (RFC 5737, 1918, 6598, 2544).
const FIRST: &[&str] = &[
    "alex", "bilal", "carmen", "dmitri", "elena", "farah", "george", "hanna", "ivan", "julia", "kofi",
    "lena", "marco", "nadia", "oscar", "petra", "quentin", "rosa", "stefan", "tara", "umar", "vera", "wanda",
    "yusuf",
];
const LAST: &[&str] = &[
    "adler", "bauer", "costa", "dubois", "evans", "fischer", "garcia", "hansen", "ito", "jansen", "kowalski",
    "lopez", "moreau", "novak", "olsen", "peters", "rossi", "silva", "tanaka", "visser", "weber", "young",
];

/// Number of different users, source addresses and accounts.
const USERS: u64 = 2_000;
const ADDRESSES: u64 = 4_000;
const ACCOUNTS: u64 = 12;

const AGENTS: &[&str] = &[
    "aws-cli/2.15.30 Python/3.11.8 Linux/6.1.0-18-amd64 exe/x86_64.debian.12 prompt/off command/run",
    "aws-cli/2.17.9 md/awscrt#0.20.11 ua/2.0 os/macos#23.5.0 md/arch#arm64 lang/python#3.11.9 cfg/retry-mode#standard",
    "Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#5.10.213 md/arch#x86_64 lang/python#3.11.8 Botocore/1.34.69",
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) terraform-provider-aws/5.63.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64",
    "aws-sdk-go-v2/1.26.1 os/linux lang/go#1.22.2 md/GOOS#linux md/GOARCH#arm64 api/ssm#1.49.5 ft/hll",
    "aws-sdk-java/2.25.21 Linux/6.1.84-99.169.amzn2023.x86_64 OpenJDK_64-Bit_Server_VM/21.0.2+13-LTS Java/21.0.2 kotlin/1.9.23 vendor/Amazon.com_Inc. io/sync http/Apache cfg/retry-mode/legacy",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.750 Linux/5.10.216 OpenJDK_64-Bit_Server_VM/25.412-b09 java/1.8.0_412 vendor/Oracle_Corporation cfg/retry-mode/standard]",
    "aws-sdk-js/3.583.0 ua/2.0 os/linux#5.10.216 lang/js md/nodejs#20.13.1 api/dynamodb#3.583.0 exec-env/AWS_Lambda_nodejs20.x",
];

/// Region and in how many of 10,000 events.
const REGIONS: &[(&str, u64)] = &[
    ("us-east-1", 6_000),
    ("eu-west-1", 2_500),
    ("us-west-2", 1_000),
    ("ap-southeast-2", 498),
    ("sa-east-1", 2),
];

pub(in crate::bench) fn user(dice: &mut Dice) -> String {
    let number = dice.skewed(USERS);
    let pick = |names: &[&'static str], at: u64| names[(at % names.len() as u64) as usize];
    let (first, last) = (pick(FIRST, number), pick(LAST, number / FIRST.len() as u64));
    let round = number / (FIRST.len() * LAST.len()) as u64;
    if round == 0 {
        format!("{first}.{last}")
    } else {
        format!("{first}.{last}{round}")
    }
}

/// Of the company's networks, save three of a hundred.
pub(in crate::bench) fn address(dice: &mut Dice) -> String {
    let outside = dice.per_mille(30);
    let number = dice.skewed(ADDRESSES);
    let (high, low) = (number / 250, number % 250 + 1);
    match (outside, number % 10) {
        (true, at) if at < 5 => format!("198.18.{high}.{low}"),
        (true, _) => format!("100.64.{high}.{low}"),
        (false, at) if at < 6 => format!("10.{}.{high}.{low}", number % 7),
        (false, at) if at < 8 => format!("192.168.{high}.{low}"),
        (false, 8) => format!("203.0.113.{low}"),
        (false, _) => format!("198.51.100.{low}"),
    }
}

pub(in crate::bench) fn account(dice: &mut Dice) -> String {
    format!("{}", 210_500_000_017 + dice.skewed(ACCOUNTS) * 7_340_033)
}

pub(in crate::bench) fn agent(dice: &mut Dice) -> &'static str {
    let agent = dice.choose(AGENTS).copied().unwrap_or_default();
    // Few enough that a rule about it is a rule about something rare.
    if dice.below(20_000) == 0 {
        "aws-cli/2.9.19 Python/3.11.2 Linux/6.6.15-kali-amd64 source/x86_64.kali.2024 prompt/off command/iam.list-users"
    } else {
        agent
    }
}

pub(in crate::bench) fn region(dice: &mut Dice) -> &'static str {
    let mut at = dice.below(10_000);
    for (region, share) in REGIONS {
        if at < *share {
            return region;
        }
        at -= share;
    }
    "us-east-1"
}

/// A name of the same form: digits for digits, letters for letters, hexadecimal where it was. The first `keep`
/// characters stay, as in `AKIA…`.
pub(in crate::bench) fn id(pattern: &str, keep: usize, dice: &mut Dice) -> String {
    let rest = pattern.get(keep..).unwrap_or_default();
    let hexadecimal = rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let letters = if hexadecimal { 6 } else { 26 };
    let changed = pattern.char_indices().map(|(at, letter)| match letter {
        _ if at < keep => letter,
        '0'..='9' => char::from(b'0' + dice.below(10) as u8),
        'a'..='z' => char::from(b'a' + dice.below(letters) as u8),
        'A'..='Z' => char::from(b'A' + dice.below(letters) as u8),
        other => other,
    });
    changed.collect()
}
