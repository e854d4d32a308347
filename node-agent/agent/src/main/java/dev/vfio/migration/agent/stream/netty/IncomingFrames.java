package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.netty.FrameType.Direction;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Locale;

/**
 * Judges the frames of one stream in one direction: numbers, lengths, places, checksums, digest. A
 * frame counts only once its payload has come: one that was half received leaves no trace. Owned by
 * one thread at a time, the event loop of the stream's connection.
 */
final class IncomingFrames {
  private final int version;
  private final int stream;
  private final Direction direction;
  private final Placement placement;
  private final MessageDigest digest = LoadedDigest.sha256();
  private final Tally tally = new Tally();
  private long frames;
  private long bytes;
  private final ByteBuffer current = ByteBuffer.allocate(FrameHeader.BYTES);

  /** Of the chunk of device state whose first part came: what is still to come. */
  private long following;

  private boolean ended;

  /**
   * @param version of the stream
   * @param stream index of the connection
   * @param direction the way these frames travel
   * @param placement what HELLO announced
   */
  IncomingFrames(int version, int stream, Direction direction, Placement placement) {
    this.version = version;
    this.stream = stream;
    this.direction = direction;
    this.placement = placement;
  }

  /**
   * Takes the 44 bytes at the buffer's position. Nothing may be allocated for the payload before
   * this has returned.
   */
  FrameHeader header(ByteBuffer from) throws StreamException {
    int start = from.position();
    FrameHeader header;
    try {
      header = FrameHeader.decode(from);
    } catch (StreamException malformed) {
      throw corrupt(malformed.getMessage());
    }
    FrameType type = header.type();
    if (!type.partOf(version)) {
      throw corrupt(type + " is not part of stream version " + version);
    }
    if (!type.direction().allows(direction)) {
      throw corrupt(type + " does not travel this way");
    }
    if (header.stream() != stream) {
      throw corrupt("it belongs to stream " + Integer.toUnsignedString(header.stream()));
    }
    if (header.sequence() != frames) {
      boolean again = Long.compareUnsigned(header.sequence(), frames) < 0;
      throw corrupt(
          "its sequence number is "
              + Long.toUnsignedString(header.sequence())
              + (again ? ": a frame was sent again" : ": frames are missing"));
    }
    int maximum = type.maximumLength(placement.blockBytes());
    if (header.length() < type.minimumLength() || header.length() > maximum) {
      throw corrupt(
          String.format(
              "%s announces %s bytes; %s to %s are allowed",
              type, Integer.toUnsignedString(header.length()), type.minimumLength(), maximum));
    }
    requirePlace(header);
    current.clear().put(from.duplicate().position(start).limit(start + FrameHeader.BYTES)).flip();
    return header;
  }

  private void requirePlace(FrameHeader header) throws StreamException {
    FrameType type = header.type();
    boolean firstStreamOnly =
        type == FrameType.DEVICE_STATE || type == FrameType.PAUSED || type == FrameType.LOADED;
    if (firstStreamOnly && stream != 0) {
      throw corrupt(type + " travels on stream 0 only");
    }
    if (type == FrameType.DEVICE_STATE) {
      requirePart(header);
    }
    if (type == FrameType.END && following != 0) {
      throw corrupt(following + " bytes of a chunk of device state are missing");
    }
    if (type != FrameType.MEMORY) {
      return;
    }
    if (header.offset() > Long.MAX_VALUE - header.length()) {
      throw corrupt("the place ends beyond 2^63: offset " + header.offset());
    }
    if (!placement.isWithinBlock(header.offset(), header.length())
        || placement.streamOf(header.window(), header.offset()) != stream) {
      throw corrupt(
          String.format(
              "window %s, offset %s, %s bytes do not belong to this stream",
              header.window(), header.offset(), header.length()));
    }
  }

  /** The parts of a chunk come one after the other, and all of them. */
  private void requirePart(FrameHeader header) throws StreamException {
    long left = following - header.length();
    if (following != 0 && (header.length() == 0 || header.offset() != left)) {
      throw corrupt(
          String.format(
              "of its chunk %s bytes were to come; it has %s and says that %s follow",
              following, header.length(), header.offset()));
    }
  }

  /** Says that the payload of that header is there. */
  void payload(FrameHeader header, int crc) throws StreamException {
    if (crc != header.payloadCrc()) {
      throw corrupt(
          String.format(
              Locale.ROOT,
              "the payload's CRC32C is 0x%08x, but its header says 0x%08x",
              crc,
              header.payloadCrc()));
    }
    tally.add(header, crc);
    if (header.type() == FrameType.DEVICE_STATE) {
      following = header.offset();
    }
    if (header.type() != FrameType.END && header.type().numbered(version)) {
      digest.update(current);
      frames++;
      bytes += header.length();
    }
  }

  /** Number of the frame that is to come next; beyond the end mark once that was verified. */
  long next() {
    return ended ? frames + 1 : frames;
  }

  /** What came for device and memory, once {@link #end} was content with it. */
  Tally.Total came() {
    return tally.total();
  }

  /**
   * Compares END's payload with what came.
   *
   * @return the stream's digest
   */
  byte[] end(ByteBuffer payload) throws StreamException {
    ended = true;
    EndMark counted = new EndMark(frames, bytes, digest.digest());
    try {
      EndMark.decode(payload).requireEqual(counted);
    } catch (StreamException different) {
      throw corrupt(different.getMessage());
    }
    return counted.digest();
  }

  /** Says that bytes are there which would begin another header. */
  void requireOpen() throws StreamException {
    if (ended) {
      throw corrupt("bytes came after the end mark");
    }
  }

  private StreamException corrupt(String what) {
    return new StreamException(
        Kind.CORRUPT, "stream " + stream + ", frame " + frames + ": " + what);
  }
}
