package dev.vfio.migration.sandbox.devices.vfiouser;

import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.devices.region.MigrationRegion;
import dev.vfio.migration.sandbox.devices.unixsocket.UnixConnection;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One client: reads commands in order and answers each. Region data goes straight between the
 * socket and the region's memory. Owned by one thread; {@link #hangUp} and {@link #peerHasClosed}
 * are for others.
 */
final class ClientConnection {
  private static final int SMALL = 64 * 1024;
  private static final int LARGEST =
      Message.HEADER_SIZE + Message.ACCESS_SIZE + Message.MAX_TRANSFER;
  private static final int INFO_FLAG_RESET = 1;
  private static final int INFO_FLAG_PCI = 2;
  private static final int INFO_SIZE = 16;
  private static final int IRQ_TYPES = 5;
  private static final ByteBuffer NOTHING = ByteBuffer.allocateDirect(0);

  private final UnixConnection socket;
  private final DeviceRegions regions;
  private final ByteBuffer header = direct(Message.HEADER_SIZE);
  private final ByteBuffer in = direct(SMALL);
  private final ByteBuffer out = direct(SMALL);
  private boolean takesDescriptors;

  ClientConnection(UnixConnection socket, DeviceRegions regions) {
    this.socket = socket;
    this.regions = regions;
  }

  boolean peerHasClosed() {
    return socket.peerHasClosed();
  }

  void hangUp() {
    socket.hangUp();
  }

  void close() {
    socket.close();
  }

  /** Decides whether a client that has greeted correctly is let in. */
  interface Door {
    void admit(ClientConnection client) throws RefusalException;
  }

  /**
   * The first message must be VERSION.
   *
   * @return whether the client is let in; if not, it got the reason
   */
  boolean greet(Door door) throws IOException {
    if (!receiveHeader()) {
      return false;
    }
    try {
      ByteBuffer payload = receivePayload();
      if (command() != Message.VERSION) {
        throw new RefusalException(Errno.EINVAL, "the first message must be VERSION");
      }
      VersionExchange greeting = VersionExchange.answer(payload);
      door.admit(this);
      takesDescriptors = greeting.takesDescriptors();
      startReply();
      greeting.write(out);
      sendReply();
      return true;
    } catch (RefusalException e) {
      sendError(e.errno());
      return false;
    }
  }

  /** Serves one command; false when the client has left. */
  boolean serve() throws IOException {
    if (!receiveHeader()) {
      return false;
    }
    try {
      switch (command()) {
        case Message.DEVICE_GET_INFO -> deviceInfo(receivePayload());
        case Message.DEVICE_GET_REGION_INFO -> regionInfo(receivePayload());
        case Message.DEVICE_GET_IRQ_INFO -> irqInfo(receivePayload());
        case Message.DEVICE_SET_IRQS -> setIrqs(receivePayload());
        case Message.REGION_READ -> regionRead(receivePayload());
        case Message.REGION_WRITE -> regionWrite();
        case Message.DEVICE_RESET -> {
          receivePayload();
          if (!regions.offersReset()) {
            throw new RefusalException(Errno.ENOTTY, "this device has no reset");
          }
          regions.migration().reset();
          startReply();
          sendReply();
        }
        case Message.DEVICE_FEATURE, Message.MIG_DATA_READ, Message.MIG_DATA_WRITE -> {
          receivePayload();
          throw new RefusalException(Errno.ENOTTY, "this device has the 2018 region only");
        }
        default -> {
          // memory of the client (DMA_MAP and its like) means nothing here: the device writes into
          // its workload's memory, and this client only carries state
          receivePayload();
          throw new RefusalException(Errno.EOPNOTSUPP, "command " + command() + " is not offered");
        }
      }
    } catch (RefusalException e) {
      sendError(e.errno());
    }
    return true;
  }

  private void deviceInfo(ByteBuffer request) throws IOException, RefusalException {
    requireArgumentSize(request, INFO_SIZE);
    startReply();
    int reset = regions.offersReset() ? INFO_FLAG_RESET : 0;
    out.putInt(INFO_SIZE).putInt(reset | INFO_FLAG_PCI);
    out.putInt(regions.count()).putInt(IRQ_TYPES);
    sendReply();
  }

  private void regionInfo(ByteBuffer request) throws IOException, RefusalException {
    int argumentSize = requireArgumentSize(request, DeviceRegions.INFO_SIZE);
    int region = request.getInt(8);
    boolean mappable = regions.comesWithDescriptor(region, takesDescriptors);
    startReply();
    ByteBuffer information = out.slice().order(ByteOrder.nativeOrder());
    regions.describe(region, mappable, information);
    int needed = information.position();
    if (needed > argumentSize) {
      // only the fixed part, with the size that the whole needs. The descriptor comes with the
      // whole, so the MMAP flag, which promises one, does too.
      information.clear();
      regions.describe(region, false, information);
      information.putInt(0, needed).putInt(12, 0);
      out.position(out.position() + DeviceRegions.INFO_SIZE);
      sendReply();
      return;
    }
    out.position(out.position() + needed);
    if (mappable) {
      sendReplyWithDescriptor(regions.migration().memory().descriptor().getAsInt());
    } else {
      sendReply();
    }
  }

  private void irqInfo(ByteBuffer request) throws IOException, RefusalException {
    requireArgumentSize(request, INFO_SIZE);
    int index = request.getInt(8);
    if (index < 0 || index >= IRQ_TYPES) {
      throw new RefusalException(Errno.EINVAL, "there is no interrupt type " + index);
    }
    startReply();
    out.putInt(INFO_SIZE).putInt(0).putInt(index).putInt(0);
    sendReply();
  }

  private void setIrqs(ByteBuffer request) throws IOException, RefusalException {
    requireArgumentSize(request, 20);
    if (request.getInt(16) != 0) {
      throw new RefusalException(Errno.EINVAL, "the device has no interrupts");
    }
    startReply();
    sendReply();
  }

  private void regionRead(ByteBuffer request) throws IOException, RefusalException {
    requireSize(request, Message.ACCESS_SIZE);
    long offset = request.getLong(0);
    int region = request.getInt(8);
    int count = request.getInt(12);
    requireTransfer(count);
    ByteBuffer data;
    if (regions.isMigration(region)) {
      data = regions.migration().read(offset, count);
      data.limit(regions.migration().lengthOfRead(count));
    } else {
      data = regions.read(region, offset, count);
    }
    startReply();
    out.putLong(offset).putInt(region).putInt(data.remaining());
    if (data.isDirect()) {
      sendReply(data);
    } else {
      out.put(data);
      sendReply();
    }
  }

  private void regionWrite() throws IOException, RefusalException {
    int payload = header.getInt(Message.SIZE) - Message.HEADER_SIZE;
    if (payload < Message.ACCESS_SIZE) {
      skip(payload);
      throw new RefusalException(Errno.EINVAL, "REGION_WRITE is too short");
    }
    in.clear().limit(Message.ACCESS_SIZE);
    receiveAll(in);
    long offset = in.getLong(0);
    int region = in.getInt(8);
    int count = in.getInt(12);
    ByteBuffer into;
    MigrationRegion migration = regions.migration();
    try {
      requireTransfer(count);
      if (count != payload - Message.ACCESS_SIZE) {
        throw new RefusalException(Errno.EINVAL, "count is not the size of the data");
      }
      if (!regions.isMigration(region)) {
        throw new RefusalException(Errno.EINVAL, "region " + region + " cannot be written");
      }
      into = migration.beforeWrite(offset, count);
    } catch (RefusalException e) {
      skip(payload - Message.ACCESS_SIZE);
      throw e;
    }
    if (into.isDirect()) {
      receiveAll(into);
    } else {
      in.clear().limit(count);
      receiveAll(in);
      into.put(in.flip());
    }
    migration.written(offset, into);
    startReply();
    out.putLong(offset).putInt(region).putInt(count);
    sendReply();
  }

  private boolean receiveHeader() throws IOException {
    if (!socket.receive(header.clear())) {
      return false;
    }
    int size = header.getInt(Message.SIZE);
    if (size < Message.HEADER_SIZE || size > LARGEST) {
      throw new IOException("a message of " + size + " bytes; the connection cannot go on");
    }
    if ((header.getInt(Message.FLAGS) & Message.TYPE_MASK) != Message.TYPE_COMMAND) {
      throw new IOException("a message that is no command; the connection cannot go on");
    }
    return true;
  }

  private int command() {
    return Short.toUnsignedInt(header.getShort(Message.COMMAND));
  }

  private ByteBuffer receivePayload() throws IOException, RefusalException {
    int size = header.getInt(Message.SIZE) - Message.HEADER_SIZE;
    if (size > in.capacity()) {
      skip(size);
      throw new RefusalException(Errno.EINVAL, "a payload of " + size + " bytes is too large");
    }
    receiveAll(in.clear().limit(size));
    return in.flip();
  }

  private void skip(int size) throws IOException {
    for (int left = size; left > 0; left -= in.limit()) {
      receiveAll(in.clear().limit(Math.min(left, in.capacity())));
    }
  }

  private void receiveAll(ByteBuffer into) throws IOException {
    if (into.hasRemaining() && !socket.receive(into)) {
      throw new EOFException("the client ended the connection in the middle of a message");
    }
  }

  private static void requireSize(ByteBuffer request, int size) throws RefusalException {
    if (request.remaining() < size) {
      throw new RefusalException(Errno.EINVAL, "the request is too short");
    }
  }

  private static int requireArgumentSize(ByteBuffer request, int size) throws RefusalException {
    requireSize(request, size);
    int argumentSize = request.getInt(0);
    if (argumentSize < size) {
      throw new RefusalException(Errno.EINVAL, "argsz is too small");
    }
    return argumentSize;
  }

  private static void requireTransfer(int count) throws RefusalException {
    if (count < 1 || count > Message.MAX_TRANSFER) {
      throw new RefusalException(
          Errno.EINVAL, "a transfer has 1 to " + Message.MAX_TRANSFER + " bytes, not " + count);
    }
  }

  private void startReply() {
    out.clear().position(Message.HEADER_SIZE);
  }

  private void sendReply() throws IOException {
    sendReply(NOTHING);
  }

  private void sendReply(ByteBuffer data) throws IOException {
    if (finishReply(data.remaining())) {
      socket.send(out, data);
    }
  }

  private void sendReplyWithDescriptor(int descriptor) throws IOException {
    if (finishReply(0)) {
      socket.sendWithDescriptor(out, descriptor);
    }
  }

  private void sendError(int errno) throws IOException {
    startReply();
    if (finishReply(0)) {
      out.putInt(Message.FLAGS, Message.TYPE_REPLY | Message.IS_ERROR);
      out.putInt(Message.ERROR, errno);
      socket.send(out);
    }
  }

  /** Fills the header in; false if the client wants no reply. */
  private boolean finishReply(int dataSize) {
    out.flip();
    out.putShort(Message.ID, header.getShort(Message.ID));
    out.putShort(Message.COMMAND, header.getShort(Message.COMMAND));
    out.putInt(Message.SIZE, out.limit() + dataSize);
    out.putInt(Message.FLAGS, Message.TYPE_REPLY);
    out.putInt(Message.ERROR, 0);
    return (header.getInt(Message.FLAGS) & Message.NO_REPLY) == 0;
  }

  private static ByteBuffer direct(int size) {
    return ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
  }
}
