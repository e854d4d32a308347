package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.nio.ByteBuffer;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import javax.net.ssl.SSLPeerUnverifiedException;

/**
 * The one reader of a connection, in its event loop: TLS outcome, then one greeting, then frames. A
 * payload is copied once, out of the decrypted records into the place the owner gives for it, and
 * summed while the cache still knows it. Where the owner has no place, nothing more is read from
 * the socket until {@link #resume}.
 */
final class ConnectionReader extends ChannelInboundHandlerAdapter {

  /** Whom it reads for. Every method is called in the event loop and must not block. */
  interface Owner {
    /** TLS is agreed; that is the other end's certificate. */
    void secured(X509Certificate peer) throws StreamException;

    /** The greeting came. Calls {@link ConnectionReader#beginFrames} if frames may follow. */
    void greeting(Greeting greeting) throws StreamException;

    /** A place of {@code length} bytes for the payload, or null where there is none now. */
    ByteBuffer place(FrameHeader header);

    /** A frame came, and its checksums are right. */
    void frame(FrameHeader header, ByteBuffer payload) throws StreamException;

    /** Nothing more will be read. */
    void failed(Throwable why);

    /** The connection has ended. */
    void closed();
  }

  private final Owner owner;
  private final ByteBuffer greetingBytes = ByteBuffer.allocate(GreetingCodec.MAX_BYTES);
  private final ByteBuffer headerBytes = ByteBuffer.allocate(FrameHeader.BYTES);
  private final CRC32C crc = new CRC32C();
  private final Deque<ByteBuf> unread = new ArrayDeque<>();
  private ChannelHandlerContext context;
  private IncomingFrames frames;
  private FrameHeader header;
  private ByteBuffer payload;
  private boolean paused;
  private boolean stopped;
  private boolean saidGoodbye;
  private long heardAt = System.nanoTime();

  ConnectionReader(Owner owner) {
    this.owner = owner;
    greetingBytes.limit(GreetingCodec.PREFIX_BYTES);
  }

  /** The greeting was good; judge what follows by that. */
  void beginFrames(IncomingFrames judge) {
    frames = judge;
  }

  /** Reads nothing more until {@link #resume}. In the event loop. */
  void pause() {
    paused = true;
    context.channel().config().setAutoRead(false);
  }

  /** The header of the frame whose payload has a place and has not come as a whole; or null. */
  FrameHeader halfRead() {
    return payload == null ? null : header;
  }

  /** Whether the other end said that it closes: then its end was no accident. */
  boolean saidGoodbye() {
    return saidGoodbye;
  }

  /** Throws away whatever comes from here on. */
  void stop() {
    stopped = true;
    dropUnread();
  }

  /** There may be room again. From any thread. */
  void resume() {
    Transport.run(context.executor(), this::goOn);
  }

  /** Milliseconds since bytes came; 0 while this end does not read. */
  long silentMillis() {
    return paused ? 0 : TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - heardAt);
  }

  private void goOn() {
    if (!paused || stopped) {
      return;
    }
    paused = false;
    heardAt = System.nanoTime();
    ByteBuf next = unread.isEmpty() ? Unpooled.EMPTY_BUFFER : unread.pollFirst();
    while (next != null) {
      consume(next);
      next = paused || stopped ? null : unread.pollFirst();
    }
    if (!paused && !stopped) {
      context.channel().config().setAutoRead(true);
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext ignored, Object message) {
    ByteBuf bytes = (ByteBuf) message;
    heardAt = System.nanoTime();
    if (stopped) {
      bytes.release();
    } else if (paused) {
      unread.addLast(bytes);
    } else {
      consume(bytes);
    }
  }

  private void consume(ByteBuf bytes) {
    try {
      do {
        if (frames == null) {
          readGreeting(bytes);
        } else {
          readFrame(bytes);
        }
      } while (bytes.isReadable() && !paused && !stopped);
    } catch (StreamException | RuntimeException malformed) {
      stop();
      owner.failed(malformed);
    }
    if (bytes.isReadable() && !stopped) {
      unread.addFirst(bytes);
    } else {
      bytes.release();
    }
  }

  private void readGreeting(ByteBuf bytes) throws StreamException {
    fill(greetingBytes, bytes);
    if (!greetingBytes.hasRemaining() && greetingBytes.position() == GreetingCodec.PREFIX_BYTES) {
      greetingBytes.limit(GreetingCodec.lengthOf(greetingBytes.duplicate().rewind()));
      fill(greetingBytes, bytes);
    }
    if (!greetingBytes.hasRemaining()) {
      owner.greeting(GreetingCodec.decode(greetingBytes.flip()));
      if (frames == null && !stopped && !paused) {
        throw new StreamException(Kind.CORRUPT, "a second greeting came");
      }
    }
  }

  private void readFrame(ByteBuf bytes) throws StreamException {
    if (header == null) {
      if (bytes.isReadable()) {
        frames.requireOpen();
      }
      fill(headerBytes, bytes);
      if (headerBytes.hasRemaining()) {
        return;
      }
      header = frames.header(headerBytes.flip());
      headerBytes.clear();
    }
    if (payload == null) {
      payload = owner.place(header);
      if (payload == null) {
        paused = true;
        context.channel().config().setAutoRead(false);
        return;
      }
      crc.reset();
    }
    int from = payload.position();
    fill(payload, bytes);
    crc.update(payload.duplicate().flip().position(from));
    if (!payload.hasRemaining()) {
      FrameHeader whole = header;
      ByteBuffer content = payload.flip();
      header = null;
      payload = null;
      frames.payload(whole, (int) crc.getValue());
      owner.frame(whole, content);
    }
  }

  private static void fill(ByteBuffer to, ByteBuf from) {
    int length = Math.min(to.remaining(), from.readableBytes());
    int limit = to.limit();
    to.limit(to.position() + length);
    from.readBytes(to);
    to.limit(limit);
  }

  private void dropUnread() {
    for (ByteBuf bytes = unread.pollFirst(); bytes != null; bytes = unread.pollFirst()) {
      bytes.release();
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ignored, Object event) throws Exception {
    if (event instanceof SslHandshakeCompletionEvent handshake) {
      tlsIsDone(handshake);
    }
    if (event instanceof SslCloseCompletionEvent closing) {
      saidGoodbye = closing.isSuccess();
    }
    super.userEventTriggered(ignored, event);
  }

  private void tlsIsDone(SslHandshakeCompletionEvent handshake) {
    Throwable refused = handshake.cause();
    if (handshake.isSuccess()) {
      try {
        owner.secured(peerCertificate());
      } catch (StreamException unfit) {
        refused = unfit;
      }
    }
    if (refused != null) {
      stop();
      owner.failed(refused);
    }
  }

  private X509Certificate peerCertificate() throws StreamException {
    try {
      Certificate[] chain =
          context.pipeline().get(SslHandler.class).engine().getSession().getPeerCertificates();
      if (chain[0] instanceof X509Certificate certificate) {
        return certificate;
      }
      throw new StreamException(
          Kind.UNAUTHENTICATED, "the certificate is of type " + chain[0].getType());
    } catch (SSLPeerUnverifiedException none) {
      throw new StreamException(
          Kind.UNAUTHENTICATED, "the other end presented no certificate", none);
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ignored, Throwable cause) {
    if (!stopped) {
      stop();
      owner.failed(cause);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ignored) {
    stop();
    owner.closed();
  }
}
