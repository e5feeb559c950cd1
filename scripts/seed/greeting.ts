/** What `hello-world` says. */
export const greeting = `
Hello from Sampan!
This message shows that your container engine works.

What has just happened, layer by layer:
 1. The client asked the daemon for "hello-world", over Docker's API.
 2. The daemon asked its registry mirrors in turn; one had the image: an index that
    names one manifest for each platform, and the one for this machine.
 3. The manifest's single layer came as gzip. In one pass it was hashed as sent, unpacked,
    hashed again, and written as one tar file with a small EROFS index beside it.
    Nothing was extracted: the kernel mounts index and tar as they lie there.
 4. Overlayfs put an empty writable layer on top, a network namespace was joined to the
    bridge, and conmon and the OCI runtime started this program: /hello, the only file.
 5. Its output came back to your terminal over the connection that was attached before it
    began, so that no byte could be missed.

To try something more ambitious, run a shell:
 $ sampan run -it --rm busybox sh

`;
