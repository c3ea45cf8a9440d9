//! A connection as a sequence of frames: four bytes of length, then as many bytes.

use std::error::Error;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf, split};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec, LengthDelimitedCodecError};

/// What bytes can be sent and received on.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type AnyStream = Box<dyn Stream>;

/// Both directions of a connection.
#[derive(Debug)]
pub struct Connection {
    /// What arrives.
    pub reading: Reading,
    /// What is sent.
    pub writing: Writing,
}

/// What arrives on a connection.
pub struct Reading(FramedRead<ReadHalf<AnyStream>, LengthDelimitedCodec>);

/// What is sent on a connection.
pub struct Writing(FramedWrite<WriteHalf<AnyStream>, LengthDelimitedCodec>);

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The other side closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// It broke.
    #[error("the connection broke: {0}")]
    Io(std::io::Error),
    /// A frame that is longer than frames may be.
    #[error("a frame has more than the {most} bytes that it may have")]
    TooLong {
        /// The most bytes.
        most: usize,
    },
    /// Bytes that are no such message.
    #[error("a frame of {bytes} bytes is no message: {why}")]
    NoMessage {
        /// How many bytes it had.
        bytes: usize,
        /// What is wrong with it.
        why: postcard::Error,
    },
}

impl Connection {
    /// A connection on a stream, for frames of at most so many bytes.
    pub fn new<S>(stream: S, max_frame_bytes: usize) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream: AnyStream = Box::new(stream);
        let (read, write) = split(stream);
        let mut builder = LengthDelimitedCodec::builder();
        builder.little_endian().max_frame_length(max_frame_bytes);
        Self {
            reading: Reading(builder.new_read(read)),
            writing: Writing(builder.new_write(write)),
        }
    }
}

impl Reading {
    /// The next message.
    ///
    /// # Errors
    /// When there is none, or something else. The connection is of no use any more then.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, FrameError> {
        let frame = self.frame().await?;
        let no_message = |why| FrameError::NoMessage { bytes: frame.len(), why };
        match postcard::take_from_bytes(&frame).map_err(no_message)? {
            (message, []) => Ok(message),
            _ => Err(no_message(postcard::Error::DeserializeBadEncoding)),
        }
    }

    async fn frame(&mut self) -> Result<BytesMut, FrameError> {
        match self.0.next().await {
            None => Err(FrameError::Closed),
            Some(Ok(frame)) => Ok(frame),
            Some(Err(error)) => {
                let why = error.get_ref();
                let is_long =
                    why.is_some_and(<dyn Error + Send + Sync>::is::<LengthDelimitedCodecError>);
                let most = self.0.decoder().max_frame_length();
                Err(if is_long { FrameError::TooLong { most } } else { FrameError::Io(error) })
            }
        }
    }

    /// Frames may have so many bytes from now on.
    pub fn allow(&mut self, max_frame_bytes: usize) {
        self.0.decoder_mut().set_max_frame_length(max_frame_bytes);
    }
}

impl Writing {
    /// Adds a message to what is sent next. It leaves when there is enough, or with [`Writing::flush`].
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn add<T: Serialize>(&mut self, message: &T) -> Result<(), FrameError> {
        let bytes = postcard::to_stdvec(message);
        let bytes = bytes.map_err(|error| FrameError::Io(std::io::Error::other(error)))?;
        self.0.feed(Bytes::from(bytes)).await.map_err(FrameError::Io)
    }

    /// Sends all that was added.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn flush(&mut self) -> Result<(), FrameError> {
        SinkExt::<Bytes>::flush(&mut self.0).await.map_err(FrameError::Io)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), FrameError> {
        self.add(message).await?;
        self.flush().await
    }

    /// Frames may have so many bytes from now on.
    pub fn allow(&mut self, max_frame_bytes: usize) {
        self.0.encoder_mut().set_max_frame_length(max_frame_bytes);
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reading")
    }
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writing")
    }
}
