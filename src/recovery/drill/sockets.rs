//! The remote addresses of this process's own TCP connections, as Linux tells them (`/proc`, see proc(5)).
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Every peer; empty where the system does not tell.
pub(super) fn peers() -> BTreeSet<String> {
    let Ok(links) = fs::read_dir("/proc/self/fd") else { return BTreeSet::new() };
    let targets = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    let own: BTreeSet<String> = targets
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|line| peer(line, &own)).collect()
}

/// The peer of a line, when its socket is one of `own` and connected.
fn peer(line: &str, own: &BTreeSet<String>) -> Option<String> {
    let mut fields = line.split_whitespace().skip(2);
    let (remote, inode) = (fields.next()?, fields.nth(6)?);
    let address = address(remote).filter(|address| address.port() != 0 && own.contains(inode))?;
    Some(address.to_string())
}

/// `0100007F:2352`: the address's 32-bit words in the machine's order, the port in hex.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(host.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match host.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words: [[u8; 4]; 4] = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_as_linux_writes_them() {
        assert_eq!(address("0100007F:2352").map(|a| a.to_string()).as_deref(), Some("127.0.0.1:9042"));
        let mapped = address("0000000000000000FFFF00000100007F:2352");
        assert_eq!(mapped.map(|a| a.to_string()).as_deref(), Some("127.0.0.1:9042"));
        assert_eq!(address("nonsense"), None);
    }

    #[test]
    fn a_connection_of_this_process_is_seen() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        assert!(!peers().contains(&address));
        let _open = std::net::TcpStream::connect(&address).expect("a connection");
        assert!(peers().contains(&address), "{:?}", peers());
    }
}
