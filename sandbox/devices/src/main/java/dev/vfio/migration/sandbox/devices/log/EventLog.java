package dev.vfio.migration.sandbox.devices.log;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The device's own log: one JSON object a line, {@code {"t":ns,"node":..,"device":..,"event":..}}.
 *
 * <p>{@code t} is CLOCK_MONOTONIC in nanoseconds (what System.nanoTime reads on Linux), so the logs
 * of two devices on one machine can be put in one order. The time is taken when the line is written
 * and lines are written one by one: the order in the file is the order in time. Every line reaches
 * the kernel before the call returns. Thread-safe.
 */
public final class EventLog implements AutoCloseable {
  /** Writes the fields of one event. */
  @FunctionalInterface
  public interface Fields {
    void write(JsonGenerator line) throws IOException;
  }

  private final JsonFactory json =
      JsonFactory.builder().disable(StreamWriteFeature.AUTO_CLOSE_TARGET).build();
  private final String node;
  private final String device;
  private final OutputStream file;
  private boolean closed;

  private EventLog(String node, String device, OutputStream file) {
    this.node = node;
    this.device = device;
    this.file = file;
  }

  /** Appends to {@code path}; its directory is made if it is not there. */
  public static EventLog open(Path path, String node, String device) throws IOException {
    Path directory = path.toAbsolutePath().getParent();
    Files.createDirectories(directory);
    return new EventLog(
        node,
        device,
        Files.newOutputStream(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND));
  }

  /** Writes to a stream that the caller reads, for devices that are not a process of their own. */
  public static EventLog to(OutputStream stream, String node, String device) {
    return new EventLog(node, device, stream);
  }

  public void event(String event) {
    event(event, line -> {});
  }

  /** Writes one line. Events that come after {@link #close} are dropped. */
  public synchronized void event(String event, Fields fields) {
    if (closed) {
      return;
    }
    // in memory first, so that a line reaches the file in a single write
    ByteArrayOutputStream buffer = new ByteArrayOutputStream(256);
    try (JsonGenerator line = json.createGenerator(buffer)) {
      line.writeStartObject();
      line.writeNumberField("t", System.nanoTime());
      line.writeStringField("node", node);
      line.writeStringField("device", device);
      line.writeStringField("event", event);
      fields.write(line);
      line.writeEndObject();
      line.flush();
      buffer.write('\n');
      buffer.writeTo(file);
      file.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("the log of device " + device + " cannot be written", e);
    }
  }

  @Override
  public synchronized void close() throws IOException {
    closed = true;
    file.close();
  }
}
