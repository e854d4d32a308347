package dev.vfio.migration.sandbox.cluster.process;

import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Says whether a process is ready. It is asked again and again, and must answer within about a
 * second.
 */
@FunctionalInterface
public interface Readiness {
  int ANSWER_MILLIS = 1000;

  boolean ready();

  /**
   * Ready once the log has that line, with or without more words. Lines before {@code offset}
   * (bytes) belong to an earlier start.
   */
  static Readiness logLine(Path log, long offset, String line) {
    return () -> {
      try {
        byte[] content = Files.readAllBytes(log);
        int from = (int) Math.min(offset, content.length);
        return new String(content, from, content.length - from, StandardCharsets.UTF_8)
            .lines()
            .anyMatch(it -> it.equals(line) || it.startsWith(line + " "));
      } catch (IOException notYetWritten) {
        return false;
      }
    };
  }

  /** Ready once a GET of that address answers 200. */
  static Readiness http(String address) {
    URI location = URI.create(address);
    return () -> {
      try {
        HttpURLConnection connection = (HttpURLConnection) location.toURL().openConnection();
        connection.setConnectTimeout(ANSWER_MILLIS);
        connection.setReadTimeout(ANSWER_MILLIS);
        try {
          return connection.getResponseCode() == HttpURLConnection.HTTP_OK;
        } finally {
          connection.disconnect();
        }
      } catch (IOException notYetListening) {
        return false;
      }
    };
  }
}
