package dev.vfio.migration.agent.stream;

import dev.vfio.migration.agent.stream.Greeting.Hello;
import dev.vfio.migration.agent.stream.StateStreams.Expected;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The migrations that this agent awaits as a destination, and their tokens. Thread-safe. */
final class Receptions {
  private final StreamSettings settings;
  private final SecureRandom secrets = new SecureRandom();
  private final Map<String, Reception> awaited = new ConcurrentHashMap<>();

  Receptions(StreamSettings settings) {
    this.settings = settings;
  }

  Reception await(Expected expected, StateSink sink) {
    if (expected.streams() < 1 || expected.streams() > settings.maximumStreams()) {
      throw new IllegalArgumentException(
          expected.streams()
              + " streams are asked for; 1 to "
              + settings.maximumStreams()
              + " are allowed");
    }
    byte[] token = new byte[Greeting.TOKEN_BYTES];
    secrets.nextBytes(token);
    Reception reception =
        new Reception(
            expected, token, sink, settings, ended -> awaited.remove(ended.migration(), ended));
    if (awaited.putIfAbsent(expected.migration(), reception) != null) {
      throw new IllegalStateException(
          "the state of migration " + expected.migration() + " is awaited already");
    }
    return reception;
  }

  /**
   * Finds whom a HELLO is for.
   *
   * @throws StreamException why the connection is refused
   */
  Reception admit(Hello hello, X509Certificate peer, DestinationConnection connection)
      throws StreamException {
    Reception reception = awaited.get(hello.migration());
    if (reception == null) {
      throw new StreamException(
          Kind.REFUSED,
          "no destination of this agent awaits migration "
              + hello.migration()
              + "; it was never prepared here, or it has ended");
    }
    reception.admit(hello, peer, connection);
    return reception;
  }

  void close() {
    List.copyOf(awaited.values()).forEach(Reception::close);
  }
}
