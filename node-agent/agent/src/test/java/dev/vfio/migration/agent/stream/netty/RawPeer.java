package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import dev.vfio.migration.connections.certificates.CertificateFiles;
import dev.vfio.migration.connections.certificates.Credentials;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.util.zip.CRC32C;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;

/**
 * One end of one connection by the Java platform's own blocking TLS, with the power to say what no
 * decent peer would.
 */
final class RawPeer implements AutoCloseable {
  private static final char[] PASSWORD = "test".toCharArray();

  private final SSLSocket socket;
  private final DataInputStream in;
  private OutgoingFrames frames;

  private RawPeer(SSLSocket socket) throws IOException {
    this.socket = socket;
    socket.setSoTimeout((int) TwoNodes.TIMEOUT.toMillis());
    socket.setEnabledProtocols(new String[] {"TLSv1.3"});
    socket.startHandshake();
    this.in = new DataInputStream(socket.getInputStream());
  }

  /** As a source, to that port. */
  static RawPeer connect(Path tls, int port) throws IOException, GeneralSecurityException {
    return new RawPeer((SSLSocket) context(tls).getSocketFactory().createSocket("127.0.0.1", port));
  }

  /** As a destination: takes one connection. */
  static RawPeer accept(Path tls, ServerSocket listener)
      throws IOException, GeneralSecurityException {
    Socket plain = listener.accept();
    SSLSocket socket = (SSLSocket) context(tls).getSocketFactory().createSocket(plain, null, true);
    socket.setUseClientMode(false);
    socket.setNeedClientAuth(true);
    return new RawPeer(socket);
  }

  private static SSLContext context(Path tls) throws IOException, GeneralSecurityException {
    Credentials own = CertificateFiles.read(tls).parse();
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setKeyEntry("own", own.key(), PASSWORD, own.chainArray());
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, PASSWORD);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), new TrustManager[] {own.trust()}, new SecureRandom());
    return context;
  }

  static Hello hello(Awaited awaited, int stream, int streams) {
    return new Hello(
        1, 1, stream, streams, TwoNodes.CHUNK, 60_000, TwoNodes.MIGRATION, awaited.token());
  }

  /** The same of version 2. */
  static Hello resumableHello(Awaited awaited, int stream, int streams) {
    return new Hello(
        1, 2, stream, streams, TwoNodes.CHUNK, 60_000, TwoNodes.MIGRATION, awaited.token());
  }

  /** Says HELLO, requires WELCOME, and is ready to send frames. */
  RawPeer welcomed(Hello hello) throws IOException {
    greet(hello);
    Greeting answer = readGreeting();
    if (!(answer instanceof Greeting.Welcome)) {
      throw new IOException("not welcomed, but: " + answer);
    }
    beginFrames(hello.stream());
    return this;
  }

  void beginFrames(int stream) {
    beginFrames(new OutgoingFrames(1, stream));
  }

  /** Goes on with frames that another connection began. */
  void beginFrames(OutgoingFrames begun) {
    frames = begun;
  }

  void greet(Greeting greeting) throws IOException {
    write(GreetingCodec.encode(greeting));
  }

  /** A right frame, numbered and summed. */
  ByteBuffer frame(FrameType type, int window, long offset, byte[] payload) {
    ByteBuffer whole = ByteBuffer.allocate(FrameHeader.BYTES + payload.length);
    CRC32C crc = new CRC32C();
    crc.update(payload);
    frames.stamp(type, window, offset, payload.length, (int) crc.getValue(), whole);
    return whole.put(payload).flip();
  }

  ByteBuffer deviceState(byte[] payload) {
    return frame(FrameType.DEVICE_STATE, 0, 0, payload);
  }

  /** The right end mark for what was made so far. */
  ByteBuffer end() {
    ByteBuffer mark = frames.endMark().encode();
    byte[] payload = new byte[mark.remaining()];
    mark.get(payload);
    return frame(FrameType.END, 0, 0, payload);
  }

  void write(ByteBuffer bytes) throws IOException {
    byte[] copy = new byte[bytes.remaining()];
    bytes.duplicate().get(copy);
    socket.getOutputStream().write(copy);
    socket.getOutputStream().flush();
  }

  Greeting readGreeting() throws IOException {
    byte[] prefix = new byte[GreetingCodec.PREFIX_BYTES];
    in.readFully(prefix);
    int length = GreetingCodec.lengthOf(ByteBuffer.wrap(prefix));
    ByteBuffer whole = ByteBuffer.allocate(length).put(prefix);
    in.readFully(whole.array(), prefix.length, length - prefix.length);
    return GreetingCodec.decode(whole.rewind());
  }

  ErrorReport readRefusal() throws IOException {
    if (readGreeting() instanceof Greeting.Refusal refusal) {
      return refusal.report();
    }
    throw new IOException("was not refused");
  }

  /** The next frame that is no PING. */
  FrameType readFrame(ByteBuffer payloadTo) throws IOException {
    while (true) {
      byte[] bytes = new byte[FrameHeader.BYTES];
      in.readFully(bytes);
      FrameHeader header = FrameHeader.decode(ByteBuffer.wrap(bytes));
      byte[] payload = new byte[header.length()];
      in.readFully(payload);
      if (header.type() != FrameType.PING) {
        payloadTo.clear().put(payload).flip();
        return header.type();
      }
    }
  }

  /** Reads until ERROR. */
  ErrorReport readError() throws IOException {
    ByteBuffer payload = ByteBuffer.allocate(ErrorReport.MAX_BYTES);
    FrameType type = readFrame(payload);
    if (type != FrameType.ERROR) {
      throw new IOException("not ERROR, but " + type);
    }
    return ErrorReport.decode(payload);
  }

  /** Reads until the other end has closed. */
  void awaitEnd() throws IOException {
    byte[] ignored = new byte[16 * 1024];
    int length;
    do {
      length = in.read(ignored);
    } while (length >= 0);
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
