use std::path::Path;

use super::{Calls, base64};

/// Appends what it is called with to a file, one line each.
const FUNCTION: &str = "
import json, os

def handler(event, context):
    line = json.dumps(event) + '\\n'
    with open(os.environ['CALLED'], 'a', encoding='utf-8') as file:
        file.write(line)
";

impl Calls {
    /// Makes a function of Lambda that appends what it is called with to `file`, as JSON lines.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn create_function(&self, name: &str, file: &Path) {
        let zip = base64(&zip("handler.py", FUNCTION.as_bytes()));
        let body = format!(
            r#"{{"FunctionName":"{name}","Runtime":"python3.11","Role":"arn:aws:iam::{}:role/lambda","Handler":"handler.handler",
                "Timeout":30,"Environment":{{"Variables":{{"CALLED":"{}"}}}},"Code":{{"ZipFile":"{zip}"}}}}"#,
            self.account(),
            file.display()
        );
        self.rest("POST", "/2015-03-31/functions", "lambda", &body).await;
    }

    /// The mails that SES was given, as JSON: `messages` by account, each a list.
    ///
    /// # Panics
    /// When the emulator refuses.
    pub async fn mails(&self) -> String {
        let path = format!("/_ministack/ses/messages?account={}", self.account());
        self.rest("GET", &path, "ses", "").await
    }
}

/// An archive with one file, not compressed (PKWARE APPNOTE 6.3).
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).expect("a small file").to_le_bytes();
    let name_size = u16::try_from(name.len()).expect("a short name").to_le_bytes();
    // version, flags, method, time, date; check sum and sizes; lengths of name and extra field
    let mut about = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    about.extend_from_slice(&crc32(content).to_le_bytes());
    about.extend_from_slice(&size);
    about.extend_from_slice(&size);
    about.extend_from_slice(&name_size);
    about.extend_from_slice(&[0, 0]);

    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend_from_slice(&about);
    zip.extend_from_slice(name.as_bytes());
    zip.extend_from_slice(content);
    let directory = u32::try_from(zip.len()).expect("a small file");
    zip.extend_from_slice(b"PK\x01\x02\x14\x03");
    zip.extend_from_slice(&about);
    // comment, disk, kind; mode 0644 of a plain file; where the file begins
    zip.extend_from_slice(&[0; 6]);
    zip.extend_from_slice(&(0o100_644_u32 << 16).to_le_bytes());
    zip.extend_from_slice(&[0; 4]);
    zip.extend_from_slice(name.as_bytes());
    let directory_size = u32::try_from(zip.len()).expect("a small file") - directory;
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend_from_slice(&directory_size.to_le_bytes());
    zip.extend_from_slice(&directory.to_le_bytes());
    zip.extend_from_slice(&[0, 0]);
    zip
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            let carry = if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
            sum >> 1 ^ carry
        })
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_sums_are_those_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
