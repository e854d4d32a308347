package dev.vfio.migration.sandbox.cluster.process;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What a process writes to a file while others read it. */
public record ProcessLog(Path file) {
  private static final int LAST_LINES = 12;

  /** Every complete line so far, none where the file does not exist yet. */
  public List<String> lines() throws IOException {
    String text = text();
    return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
  }

  /** Whether a line about that migration has these words. */
  public boolean said(String migration, String words) throws IOException {
    return lines().stream()
        .anyMatch(line -> line.contains("/" + migration + " ") && line.contains(words));
  }

  private String text() throws IOException {
    return Files.exists(file) ? new String(Files.readAllBytes(file), StandardCharsets.UTF_8) : "";
  }

  /** For messages: where the log is and how it ends. */
  public String ending() {
    try {
      List<String> lines = text().lines().toList();
      return lines.isEmpty()
          ? "; its log " + file + " is empty"
          : "; its log %s ends with:\n  %s"
              .formatted(
                  file,
                  String.join(
                      "\n  ", lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size())));
    } catch (IOException e) {
      return "; its log " + file + " cannot be read: " + e.getMessage();
    }
  }
}
