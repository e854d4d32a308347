package dev.vfio.migration.connections.certificates;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The content of a PEM file (RFC 7468) at one moment. What lies outside its blocks is ignored. */
final class PemFile {
  /** A Secret cannot hold more, and nothing that is meant here comes near it. */
  private static final int MAX_BYTES = 1 << 20;

  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z0-9 .#]+)-----(.*?)-----END \\1-----", Pattern.DOTALL);

  private static final Pattern BEGIN = Pattern.compile("-----BEGIN ([A-Z0-9 .#]+)-----");
  private static final byte DER_SEQUENCE = 0x30;

  /** What PEM looks like when it was encoded a second time. */
  private static final String ENCODED_TWICE = "LS0tLS1CRUdJTi";

  private final Path path;
  private final byte[] content;

  /**
   * One block.
   *
   * @param label such as CERTIFICATE
   * @param encrypted whether its own headers say so, as in OpenSSL's older form
   * @param content DER; empty where it is encrypted
   */
  record Block(String label, boolean encrypted, byte[] content) {}

  private PemFile(Path path, byte[] content) {
    this.path = path;
    this.content = content;
  }

  static PemFile read(Path path) throws UnusableCertificatesException {
    if (Files.isDirectory(path)) {
      throw new UnusableCertificatesException(
          path + " is a directory; a PEM file is expected there");
    }
    try (InputStream file = Files.newInputStream(path)) {
      byte[] content = file.readNBytes(MAX_BYTES + 1);
      if (content.length > MAX_BYTES) {
        throw new UnusableCertificatesException(
            path + " has more than " + MAX_BYTES + " bytes, which is no file of certificates");
      }
      return new PemFile(path, content);
    } catch (NoSuchFileException absent) {
      throw new UnusableCertificatesException(
          path + " is missing; its directory needs tls.crt, tls.key and ca.crt, in PEM", absent);
    } catch (AccessDeniedException denied) {
      throw new UnusableCertificatesException(
          path
              + " may not be read by the user of this process ("
              + System.getProperty("user.name")
              + "); give the file, and the directories above it, to that user or its group",
          denied);
    } catch (IOException failure) {
      throw new UnusableCertificatesException(path + " cannot be read: " + failure, failure);
    }
  }

  Path path() {
    return path;
  }

  boolean isSameAs(PemFile other) {
    return Arrays.equals(content, other.content);
  }

  /**
   * In the file's order; at least one.
   *
   * @param expected what the file should hold, for messages
   */
  List<Block> blocks(String expected) throws UnusableCertificatesException {
    String text = new String(content, StandardCharsets.ISO_8859_1);
    List<Block> blocks = new ArrayList<>();
    Matcher block = BLOCK.matcher(text);
    while (block.find()) {
      blocks.add(block(block.group(1), block.group(2)));
    }
    long begun = BEGIN.matcher(text).results().count();
    if (blocks.size() < begun) {
      throw new UnusableCertificatesException(
          String.format(
              "%s is damaged: %s PEM blocks begin in it, and %s of them end",
              path, begun, blocks.size()));
    }
    if (blocks.isEmpty()) {
      throw new UnusableCertificatesException(
          path + " " + whatItIs(text) + "; it should hold " + expected + " in PEM");
    }
    return blocks;
  }

  private Block block(String label, String body) throws UnusableCertificatesException {
    if (body.contains("Proc-Type:") && body.contains("ENCRYPTED")) {
      return new Block(label, true, new byte[0]);
    }
    try {
      return new Block(
          label, false, Base64.getMimeDecoder().decode(body.getBytes(StandardCharsets.ISO_8859_1)));
    } catch (IllegalArgumentException malformed) {
      throw new UnusableCertificatesException(
          path + " is damaged: its block " + label + " is no base64", malformed);
    }
  }

  /** Says nothing of what is in it: it may be a key. */
  private String whatItIs(String text) {
    if (text.isBlank()) {
      return "is empty (" + content.length + " bytes)";
    }
    if (content[0] == DER_SEQUENCE) {
      return "is no PEM but binary (DER, or PKCS#12). Convert it with openssl x509 -inform DER, or"
          + " openssl pkey -inform DER";
    }
    if (text.strip().startsWith(ENCODED_TWICE)) {
      return "is base64 of a PEM file: it was encoded once more than needed";
    }
    return "has no PEM block in its " + content.length + " bytes";
  }

  static String labels(List<Block> blocks) {
    return blocks.stream().map(Block::label).distinct().collect(Collectors.joining(", "));
  }
}
