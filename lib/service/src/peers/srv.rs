use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{Answer, answer, question};

/// Where the machine's name servers are named.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Name servers that are asked, as the machine's own resolver does it.
const SERVERS_MAX: usize = 3;

/// How often all of them are asked.
const ROUNDS: usize = 2;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(2);

const ANSWER_BYTES_MAX: usize = 65_535;

/// Asks for the SRV records of `name`; the machine's name servers where `servers` is empty. Names are taken as they are,
/// search lists do not count.
pub(super) async fn ask(servers: &[SocketAddr], name: &str) -> io::Result<Answer> {
    let servers = match servers {
        [] => system_servers().await,
        servers => servers.to_vec(),
    };
    let mut failed = io::Error::from(ErrorKind::TimedOut);
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        match timeout(PATIENCE, ask_one(*server, name)).await {
            Ok(Ok(answer)) => match answer.code {
                0 => return Ok(answer),
                3 => {
                    let reason = format!("{name}: no such name");
                    return Err(io::Error::new(ErrorKind::NotFound, reason));
                }
                code => {
                    failed = io::Error::other(format!("{name}: name server {server} fails with code {code}"))
                }
            },
            Ok(Err(error)) => {
                failed = io::Error::new(error.kind(), format!("name server {server}: {error}"));
            }
            Err(_) => {
                let reason = format!("name server {server} does not answer");
                failed = io::Error::new(ErrorKind::TimedOut, reason);
            }
        }
    }
    Err(failed)
}

async fn ask_one(server: SocketAddr, name: &str) -> io::Result<Answer> {
    // Not to be guessed, as the port is not, by who would answer in the server's place.
    let id = (RandomState::new().hash_one(name) & 0xffff) as u16;
    let asked = question(id, name);
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&asked).await?;
    let mut bytes = vec![0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut bytes).await?;
        // What is no answer to this question is somebody else's.
        match bytes.get(..length).and_then(|message| answer(message, id)) {
            Some(answer) if answer.truncated => return ask_by_tcp(server, id, &asked).await,
            Some(answer) => return Ok(answer),
            None => {}
        }
    }
}

async fn ask_by_tcp(server: SocketAddr, id: u16, asked: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(asked.len()).map_err(io::Error::other)?;
    stream
        .write_all(&[&length.to_be_bytes()[..], asked].concat())
        .await?;
    let length = usize::from(stream.read_u16().await?);
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    answer(&bytes, id).ok_or_else(|| io::Error::from(ErrorKind::InvalidData))
}

/// Read each time: orchestrators write this file, and may write it again.
async fn system_servers() -> Vec<SocketAddr> {
    let text = tokio::fs::read_to_string(RESOLV_CONF).await.unwrap_or_default();
    servers_in(&text)
}

fn servers_in(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = (words.next()? == "nameserver").then(|| words.next())??;
        Some(SocketAddr::new(address.parse().ok()?, 53))
    });
    let named: Vec<SocketAddr> = named.take(SERVERS_MAX).collect();
    if named.is_empty() {
        vec![(Ipv4Addr::LOCALHOST, 53).into()]
    } else {
        named
    }
}

/// Addresses of targets that the answer has itself.
pub(super) fn added<'a>(addresses: &'a BTreeMap<String, Vec<IpAddr>>, target: &str) -> &'a [IpAddr] {
    addresses.get(target).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_those_of_the_machine() {
        let text =
            "# a comment\nsearch internal\nnameserver 10.0.0.2\nnameserver fd00::1 \nnameserver nonsense\n";
        let servers = servers_in(text);
        assert_eq!(
            servers,
            ["10.0.0.2:53".parse().unwrap(), "[fd00::1]:53".parse().unwrap()]
        );
        assert_eq!(servers_in(""), ["127.0.0.1:53".parse().unwrap()]);
    }
}
