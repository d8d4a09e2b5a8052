//! The bytes under the frames: TCP, with TLS or without.

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::net::TcpStream;

use rustls::{ClientConnection, StreamOwned};
use tests::connection::Endpoint;

/// What one read of the socket takes at most: rustls by itself asks for 4 KiB at a time.
const BUFFER: usize = 256 * 1024;

pub enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

impl Transport {
    pub fn plain(address: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        Ok(Self::Plain(socket))
    }

    pub fn tls(endpoint: &Endpoint) -> io::Result<Self> {
        let socket = TcpStream::connect((endpoint.host.as_str(), endpoint.port))?;
        socket.set_nodelay(true)?;
        let client = ClientConnection::new(endpoint.tls.clone(), endpoint.name.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(client, Socket(BufReader::with_capacity(BUFFER, socket)));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Some bytes, waited for; none when the server has closed.
    pub fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(to),
            Self::Tls(stream) => stream.read(to),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }
}

/// A socket that is read in large pieces and written as it is.
pub struct Socket(BufReader<TcpStream>);

impl Read for Socket {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.0.read(to)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}
