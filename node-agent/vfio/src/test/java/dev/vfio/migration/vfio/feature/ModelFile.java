package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.StateFile;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/** A data file; a stream of bytes that only its end and its errnos structure. */
final class ModelFile implements StateFile {
  private final DriverModel driver;
  private final Deque<Byte> bytes = new ArrayDeque<>();
  private final ByteArrayOutputStream written = new ByteArrayOutputStream();
  private boolean disabled;
  private boolean closed;

  ModelFile(DriverModel driver, byte[] initial) {
    this.driver = driver;
    append(initial);
  }

  void append(byte[] more) {
    for (byte one : more) {
      bytes.add(one);
    }
  }

  /** Ends what the file belongs to: every later use fails with ENODEV. */
  void disable() {
    disabled = true;
  }

  boolean closed() {
    return closed;
  }

  byte[] whole() throws AccessException {
    byte[] all = written.toByteArray();
    if (all.length < 4 || ByteBuffer.wrap(all).getInt(0) != all.length - 4) {
      throw DriverModel.refused(DriverModel.EINVAL);
    }
    return Arrays.copyOfRange(all, 4, all.length);
  }

  @Override
  public int read(ByteBuffer into, Duration timeout) throws AccessException {
    requireUsable();
    if (timeout.isNegative() || timeout.isZero()) {
      throw new AssertionError("nobody reads without timeout");
    }
    if (driver.stallsInStopCopy()) {
      throw DriverModel.refused(DriverModel.ETIMEDOUT);
    }
    if (bytes.isEmpty()) {
      if (driver.endOfPrecopyIsAnError()) {
        throw DriverModel.refused(DriverModel.ENOMSG);
      }
      return 0;
    }
    int count = Math.min(Math.min(bytes.size(), into.remaining()), driver.mostPerRead());
    for (int i = 0; i < count; i++) {
      into.put(bytes.remove());
    }
    return count;
  }

  @Override
  public void write(ByteBuffer from, Duration timeout) throws AccessException {
    requireUsable();
    while (from.hasRemaining()) {
      byte one = from.get();
      if (one == (byte) 0xee) {
        throw DriverModel.refused(DriverModel.ENOMEM);
      }
      written.write(one);
    }
  }

  @Override
  public PrecopyInfo precopyInfo() throws AccessException {
    requireUsable();
    if (!driver.state().startsWith("PRE_COPY")) {
      throw DriverModel.refused(DriverModel.EINVAL);
    }
    driver.requirePrecopyInfo();
    return new PrecopyInfo(bytes.size(), 0);
  }

  private void requireUsable() throws AccessException {
    driver.requireReachable();
    if (closed) {
      throw new AssertionError("used after it was closed");
    }
    if (disabled) {
      throw DriverModel.refused(DriverModel.ENODEV);
    }
  }

  @Override
  public void close() {
    closed = true;
  }
}
