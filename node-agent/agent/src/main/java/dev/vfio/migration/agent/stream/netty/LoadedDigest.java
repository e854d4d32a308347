package dev.vfio.migration.agent.stream.netty;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;

/** The payload of LOADED: SHA-256 over the digests of all streams, in the order of the streams. */
final class LoadedDigest {
  static final int BYTES = EndMark.DIGEST_BYTES;

  private LoadedDigest() {}

  static byte[] of(List<byte[]> streamDigests) {
    MessageDigest all = sha256();
    streamDigests.forEach(all::update);
    return all.digest();
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }
}
